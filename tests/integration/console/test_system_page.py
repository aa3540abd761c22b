"""The System page: what is alive, who is late, and how well the alarms serve."""

import csv
import io
import os
import socket
from urllib.request import Request, urlopen

import pytest
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.metrics import Metrics

from tests.integration.console.furnace_forge import FURNACE, wait_for_scores
from tests.integration.console.onlooker import colourful
from tests.integration.console.test_access import require_axe, violations
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.browser]
OTHER = "demo/smelting-1/FMF-02"


@pytest.fixture
def worker():
    """A stream processor's health server, with what it has counted."""
    metrics = Metrics()
    metrics.windows.labels("scored").inc(41)
    metrics.windows.labels("skipped").inc(3)
    metrics.late.labels("video").inc(7)
    metrics.dead_letters.labels("contract_violation").inc(2)
    metrics.scoring_endpoint_up.labels("10.0.0.9:8001").set(0)
    metrics.sync_skew.labels(FURNACE).set(-2.5)
    for _ in range(20):
        metrics.event_to_score.observe(1.2)
    health = Health(progress=lambda: 0.0, readiness=lambda: None)
    with HealthServer("127.0.0.1:0", health, metrics.registry) as server:
        yield server.address


@pytest.fixture
def nobody():
    """An address at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.fixture
def stranger():
    """Somebody who answers, and not with metrics."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def console(make_console, furnace, worker, nobody):
    told = f"stream_processor={worker},alarm_manager={nobody}"
    made = make_console([FURNACE, OTHER], console_metrics=told)
    wait_for_scores(made, furnace)
    return made


def columns(table: str) -> list[tuple[str, str, str]]:
    """Return key, title and meaning of each row."""
    rows = csv.DictReader(io.StringIO(table))
    return [(row["key"], row["title"], row["meaning"]) for row in rows]


def opened(console, look, width=1920, **how: str):
    eye = look(console, width, **how)
    eye.wait_live()
    eye.page.goto(f"{console.url}#/system")
    eye.wait(".path .box")
    eye.wait(".inputs tbody tr")
    return eye


def test_the_path_of_the_data_says_who_is_there_and_who_is_away(console, forge, look):
    eye = opened(console, look)
    worker = eye.says(".box:has-text('stream_processor')")
    for said in ("windows: scored", "41", "late: video", "7", "contract violation", "2",
                 "Triton 10.0.0.9:8001", "down", "median"):  # fmt: skip
        assert said in worker
    away = eye.page.locator(".box.off", has_text="alarm_manager")
    assert "away" in away.inner_text(), "who is away is said, not hidden"
    eye.wait(".box:has-text('heartbeat')", "epoch and number")
    own = eye.says(".box:has-text('This console')")
    assert "browsers" in own
    assert "history from" in own
    assert "kept" in own
    furnaces = eye.says(".box:has-text('heard within')")
    assert "/ 2" in furnaces
    assert not colourful(eye.picture("main")).any(), "no alarm, no colour"


def test_the_table_of_inputs_sorts_and_what_is_off_is_marked(console, forge, look):
    eye = opened(console, look)
    row = eye.page.locator(".inputs tbody tr")
    assert row.count() == 1, "a furnace without a score has no row"
    assert "-2.50 s" in row.inner_text()
    assert "-2.50 s" in eye.page.locator(".inputs td.lacks").all_inner_texts()
    head = eye.page.locator(".inputs th", has_text="skew")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert eye.page.locator("[aria-sort]").count() == 1


def test_the_alarms_figures_stand_beside_their_targets_also_as_a_table(console, forge, look):
    for number in range(3):
        forge.raised(f"{FURNACE}/A{number}", ago_s=60)
    forge.flush()

    def announced():
        figures = console.ask("api/v1/kpi")[1]["figures"]
        return [each["value"] for each in figures if each["key"] == "annunciations"]

    until(lambda: announced() == [3], lambda: console.ask("api/v1/kpi"))
    eye = opened(console, look)
    eye.wait(".figures tbody tr", "Alarms announced")
    for said in ("Alarms per day", "Chattering alarms", "Most stale alarms", "Judged false",
                 "Share of the ten most frequent", "no more is known"):  # fmt: skip
        assert said in eye.says(".figures")
    with eye.page.expect_download() as saving:
        eye.page.get_by_text("as CSV").click()
    saved = saving.value.path().read_bytes().decode()
    assert saved.startswith("key,title,value,unit,target,grade,meaning\r\n")
    assert "annunciations,Alarms announced,3" in saved
    asked = Request(f"{console.url}api/v1/kpi", headers={"Accept": "text/csv"})  # noqa: S310 - of ours
    with urlopen(asked) as answer:  # noqa: S310 - of ours
        # Rates go down from moment to moment; what is counted and its words stay.
        assert columns(answer.read().decode()) == columns(saved)


def test_a_service_that_never_answers_holds_up_nobody(make_console, forge, stranger):
    console = make_console([FURNACE], console_metrics=f"odd={stranger}")
    console.wait_live()
    (service,) = console.ask("api/v1/system")[1]["services"]
    assert (service["state"], service["reason"]) == (
        "away", "expected an answer within 3 s, got none",
    )  # fmt: skip


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_axe_finds_nothing_on_the_system_page(console, forge, look, theme, width):
    require_axe()
    forge.raised(f"{FURNACE}/OVERHEAT", ago_s=30)
    forge.flush()
    until(lambda: console.ask("api/v1/kpi")[1]["figures"], lambda: console.ask("api/v1/kpi"))
    eye = opened(console, look, width, color_scheme=theme, reduced_motion="reduce")
    eye.wait(".figures tbody tr")
    assert violations(eye) == []
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= width
    if shots := os.environ.get("SHOTS"):
        eye.page.screenshot(path=f"{shots}/system-{width}-{theme}.png", full_page=True)
