"""Reviewing what was raised: judged by people, kept in Kafka, shown as it was seen."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from kafka import KafkaAdminClient, TopicPartition
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.integration.console.furnace_forge import (
    FURNACE,
    told,
    wait_for_scores,
)
from tests.integration.console.onlooker import colourful, enclosed
from tests.integration.console.test_access import require_axe, violations
from tests.support.waiting import until
from tests.unit.core.alarms.samples import FURNACE as JUDGED_FURNACE
from tests.unit.core.alarms.samples import score

pytestmark = [pytest.mark.integration, pytest.mark.browser]
ALARM = f"{FURNACE}/OVERHEAT"
TEN_DAYS_NS = 10 * 24 * 3600 * NS_PER_S
KEPT, NEVER = (f"0c3f0d1e-5c6e-5a51-9b8e-2f2d6a8f000{n}" for n in (1, 2))


def opened(console, look, address="#/review", width=1920, **how: Any):
    eye = look(console, width, **how)
    eye.wait_live()
    eye.page.goto(f"{console.url}{address}")
    eye.wait(".reviewed h3")
    return eye


def occurrences(console, **asked: str):
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    status, said = console.ask(f"api/v1/occurrences?{query}")
    assert status == 200, said
    return said["occurrences"]


def raised(broker, first: int, count: int):
    """Let an alarm be raised by scores that are high, after others that were low."""
    broker.send_scores(score(first + number, -6.0) for number in range(20))
    broker.send_scores(score(first + 20 + number, 6.0) for number in range(4))
    broker.wait_alarms(count)


@pytest.fixture
def labels(kafka, topics):
    """What ``meltwatch labels export`` gives."""
    environ = {
        **os.environ, "MELTWATCH_KAFKA": kafka.address, "MELTWATCH_TOPIC_PREFIX": topics.prefix,
    }  # fmt: skip
    command = [sys.executable, "-m", "meltwatch_cli", "labels", "export"]

    def export() -> list[dict[str, str]]:
        done = subprocess.run(command, env=environ, capture_output=True, check=True, text=True)
        return json.loads(done.stdout)

    return export


def test_a_judgement_and_its_comment_come_back_in_the_journal_and_as_labels(
    broker, make_manager, make_console, look, labels
):
    with make_manager() as manager:
        manager.wait_ready()
        console = make_console([JUDGED_FURNACE])
        console.wait_live()
        raised(broker, 0, 1)
        raised(broker, 40, 3)
        until(lambda: len(occurrences(console)) == 2, lambda: occurrences(console))
        newest, earlier = occurrences(console)
        assert (newest["is_newest"], earlier["is_newest"]) == (True, False)

        eye = opened(console, look)
        eye.wait(".left-over", "2 to review")
        eye.page.locator("#cause").select_option("splash")
        eye.press("c")
        eye.page.keyboard.type("<b>melt</b> on the rim")
        eye.press("Tab", "Shift+Tab", "Escape", "2")
        eye.wait(".said", "judged")
        eye.wait(".left-over", "1 to review")
        eye.wait(".facts", "nobody has judged it")
        eye.press("1")
        eye.wait(".none", "No event is left.")

        records = console.ask(f"api/v1/journal?furnace={JUDGED_FURNACE}")[1]["records"]
        second, first = [r for r in records if r["transition"]["cause"] == "JUDGE"]
        assert first["transition"]["comment"] == "<b>melt</b> on the rim"
        assert (first["judgement"]["verdict"], first["judgement"]["cause"]) == (
            "false_alarm", "splash",
        )  # fmt: skip
        assert second["judgement"]["earlier"]["occurrence_id"] == earlier["occurrence_id"]
        assert {r["transition"]["by"] for r in (first, second)} == {"local"}
        found = {each["occurrence_id"]: each for each in labels()}
        assert found[newest["occurrence_id"]]["verdict"] == "false_alarm"
        assert found[newest["occurrence_id"]]["cause"] == "splash"
        assert found[earlier["occurrence_id"]]["verdict"] == "true_alarm"
        assert found[earlier["occurrence_id"]]["start"] < found[newest["occurrence_id"]]["start"]

        eye.press("u")
        eye.wait(".facts", "true, by local")
        eye.press("3")
        until(
            lambda: (
                [each["verdict"]["word"] for each in occurrences(console, judged="yes")]
                == ["false_alarm", "unclear"]
            ),
            lambda: occurrences(console, judged="yes"),
        )


def test_an_event_that_no_alarm_told_is_marked_on_the_trace(
    make_manager, make_console, look, furnace, labels
):
    with make_manager() as manager:
        manager.wait_ready()
        console = make_console([FURNACE])
        console.wait_live()
        wait_for_scores(console, furnace)
        eye = look(console)
        eye.wait_live()
        until(lambda: console.ask(f"api/v1/alarms/{ALARM}")[0] == 200, lambda: "raised by the past")
        eye.page.goto(f"{console.url}#/f/{FURNACE}")
        eye.wait(".frame")
        eye.page.get_by_text("there was one here").click()
        eye.wait(".missed", "click the trace where it began")
        box = eye.page.locator("[data-trace=score] .u-over").bounding_box()
        for share, words in ((0.9, "it ended here"), (0.92, "")):
            eye.page.mouse.click(box["x"] + share * box["width"], box["y"] + 40)
            eye.page.locator(".missed button").click()
            if words:
                eye.wait(".missed button", words)
        eye.wait("dialog", "Event that no alarm told")
        eye.page.locator("dialog select").select_option("steam")
        eye.page.locator("dialog button[type=submit]").click()
        eye.wait(".missed", "judged")
        (label,) = labels()
        assert (label["verdict"], label["cause"], label["occurrence_id"]) == (
            "true_alarm", "steam", "",
        )  # fmt: skip


def test_the_film_strip_shows_each_windows_own_frame_with_its_outline(
    make_console, forge, look, furnace
):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    loud = furnace.loud()
    forge.raised(ALARM, **told(loud))
    forge.flush()
    until(lambda: occurrences(console), lambda: occurrences(console))
    eye = opened(console, look)
    eye.wait(".strip .still[aria-current=true]")
    end_ms = loud.window_end_ns // NS_PER_MS
    around = [
        each for each in furnace.scores
        if -60_000 <= each.window_end_ns // NS_PER_MS - end_ms <= 30_000
    ]  # fmt: skip
    ends = eye.page.eval_on_selector_all(
        ".strip .still", "all => all.map(each => Number(each.dataset.endMs))"
    )
    assert ends == [each.window_end_ns // NS_PER_MS for each in around]
    assert len(ends) > 20

    def shows(window):
        shown = "document.querySelector('.instant').dataset.windowEndMs"
        eye.until(f"{shown} === '{window.window_end_ns // NS_PER_MS}'", "the window")
        eye.until("document.querySelector('.event .frame').complete", "its frame")
        pixels = furnace.pixels(window.frames[-1].event_ns)
        np.testing.assert_array_equal(eye.pixels_of(".event .frame"), pixels)

    shows(loud)
    outline = eye.page.locator(".event .seen .outline").get_attribute("d")
    np.testing.assert_array_equal(enclosed(outline), loud.anomaly_map >= 127.5)
    eye.press("ArrowLeft", "ArrowLeft")
    at = around.index(loud)
    shows(around[at - 2])
    eye.press("ArrowRight")
    shows(around[at - 1])
    assert eye.page.locator(".strip .outline").count() == sum(
        each.anomaly_map is not None for each in around
    )
    eye.press("m")
    assert not eye.page.locator(".event .seen .over").is_visible()
    eye.press(" ")
    eye.until("document.querySelector('.instant').dataset.windowEndMs > 0", "it plays")
    assert not colourful(eye.picture(".queue")).any(), "what is over calls nobody"


@pytest.fixture
def forget(kafka, topics):
    """Let Kafka forget whole topics, as it does after their days."""

    def empty(*names: Topic) -> None:
        with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
            admin.delete_records(
                {
                    TopicPartition(topics.name(name), partition): -1
                    for name in names
                    for partition in range(topics.partitions)
                }
            )

    return empty


def test_evidence_of_ten_days_ago_opens_and_what_was_never_kept_says_so(
    make_console, forge, look, furnace, forget, tmp_path
):
    folder = {"console_evidence_dir": str(tmp_path / "evidence")}
    console = make_console([FURNACE], **folder)
    console.wait_live()
    wait_for_scores(console, furnace)
    loud = furnace.loud()
    forge.raised(ALARM, occurrence_id=KEPT, **told(loud))
    address = f"api/v1/occurrences/{KEPT}/evidence"
    until(lambda: console.ask(address)[0] == 200, lambda: console.ask(address))
    console.__exit__()
    ten_days_ago = SystemClock().now_ns() - TEN_DAYS_NS
    os.utime(tmp_path / "evidence" / KEPT, ns=(ten_days_ago, ten_days_ago))
    # Since then its alarm was raised again, and Kafka has let go of all of it.
    later = told(loud)
    later["raise_time"] = later["raise_time"] + timedelta(days=1)
    forge.raised(ALARM, occurrence_id=NEVER, **later)
    # It is over: of one that stands the next console keeps what there is.
    forge.state(ALARM, "NORM", occurrence_id=NEVER, **later)
    forge.flush()
    forget(Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES)

    again = make_console([FURNACE], **folder)
    again.wait_live()
    until(lambda: len(occurrences(again)) == 2, lambda: occurrences(again))
    eye = opened(again, look, f"#/review?occurrence={KEPT}")
    eye.wait(".lack-of", "kept evidence")
    eye.wait(".strip .still[aria-current=true]")
    assert eye.page.locator(".strip .still").count() == 10
    eye.press(*["ArrowRight"] * 10)
    eye.until("document.querySelector('.event .frame').complete", "its frame")
    until(
        lambda: np.array_equal(
            eye.pixels_of(".event .frame"), furnace.pixels(loud.frames[-1].event_ns)
        ),
        lambda: eye.says(".event"),
    )
    outline = eye.page.locator(".event .seen .outline").get_attribute("d")
    np.testing.assert_array_equal(enclosed(outline), loud.anomaly_map >= 127.5)
    eye.press("k")
    eye.wait(".lack-of", "nothing was kept of this occurrence")
    eye.wait(".event .lack", "nothing was kept of this occurrence")


def test_a_raise_that_no_score_judged_is_reviewed_without_a_limit_on_the_score(
    make_console, forge, look, furnace
):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    how = told(furnace.loud())
    how["evidence"] |= {"score": None, "novelty_on": 3.0, "novelty_off": 2.5}
    forge.raised(f"{FURNACE}/NOVELTY", "low", mode="advisory", **how)
    forge.flush()
    until(lambda: len(occurrences(console)) == 1, lambda: occurrences(console))
    (found,) = occurrences(console)
    assert found["score"] is found["threshold"] is found["threshold_off"] is None

    eye = opened(console, look)
    eye.wait(".event [data-trace=score] canvas")
    eye.wait(".event .still")
    assert "alarm from" not in eye.says(".facts")


def test_the_queue_is_filtered_and_a_link_opens_the_event(make_console, forge, look):
    furnaces = [f"demo/smelting-{n}/FMF-0{n}" for n in (1, 2, 3)]
    console = make_console(furnaces)
    console.wait_live()
    now = utc_from_ns(SystemClock().now_ns())
    for number, (furnace, priority) in enumerate(
        zip(furnaces, ("high", "low", "high"), strict=True)
    ):
        forge.raised(f"{furnace}/OVERHEAT", priority, ago_s=60 * number, title="O" + "x" * 300)
    forge.raised(f"{furnaces[0]}/SYNC_SKEW", "low", **{"class": "system"})
    forge.raised("selftest/a/F-1/OVERHEAT")
    forge.flush()
    until(lambda: len(occurrences(console)) == 3, lambda: occurrences(console))

    def found(**asked: str):
        return [each["furnace"] for each in occurrences(console, **asked)]

    assert found() == furnaces, "newest raise first; neither system alarms nor the self-test"
    assert found(priority="low") == [furnaces[1]]
    assert found(area="smelting-3") == [furnaces[2]]
    assert found(furnace="demo/smelting-1") == [furnaces[0]]
    assert found(furnace="demo/smelting-1/FMF") == []
    assert found(judged="yes") == []
    since = (now - timedelta(seconds=90)).isoformat().replace("+00:00", "Z")
    assert found(since=since) == furnaces[:2]
    assert found(until=since) == furnaces[2:]
    assert console.ask("api/v1/occurrences?since=2026-11-22T10:00:00")[0] == 422
    assert console.ask("api/v1/occurrences?judged=maybe")[0] == 422
    assert console.ask("api/v1/occurrences/no-such")[0] == 404

    eye = opened(console, look, f"#/review?furnace={furnaces[2]}")
    eye.wait(".left-over", "events: 1")
    assert "FMF-03" in eye.says(".what")
    eye.page.locator("#of-furnace").select_option("")
    eye.wait(".left-over", "events: 3")
    eye.page.locator(".queue button").first.focus()
    eye.press("ArrowDown")
    eye.wait(".what", "FMF-02")
    assert "FMF-02" in eye.page.evaluate("document.activeElement.textContent"), "the focus goes on"
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= 1920


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_axe_finds_nothing_on_the_review_page(make_console, forge, look, furnace, theme, width):
    require_axe()
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    forge.raised(ALARM, **told(furnace.loud()))
    forge.flush()
    until(lambda: occurrences(console), lambda: occurrences(console))
    eye = opened(console, look, width=width, color_scheme=theme, reduced_motion="reduce")
    eye.wait(".strip .still[aria-current=true]")
    eye.wait("[data-trace=score] canvas")
    assert violations(eye) == []
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= width
    if shots := os.environ.get("SHOTS"):
        eye.page.screenshot(path=f"{shots}/review-{width}-{theme}.png", full_page=True)
