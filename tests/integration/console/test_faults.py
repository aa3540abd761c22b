"""Each part around the console goes away and comes back: said in time, and nothing is lost.

One plant for all of them: an alarm more is raised for each, and none is ever cleared.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.integration.console.onlooker import Onlooker
from tests.integration.console.plant_site import (
    FURNACES,
    PlantSite,
    fewest_rows,
    rows_of,
    wait_for_same,
    watch_rows,
)
from tests.support.promise import Promise
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.browser]
PROMISED_S = 20.0
SHELVED = FURNACES[-1]


@pytest.fixture(scope="module")
def site(chromium, tmp_path_factory) -> Iterator[PlantSite]:
    with PlantSite(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module")
def eye(site, chromium) -> Onlooker:
    made = site.look(chromium)
    made.wait_live()
    return made


@dataclass(frozen=True)
class Fault:
    """One part goes away.

    Attributes
    ----------
    word
        What the page says of it.
    away, back
        What is done.
    judges
        Alarms are raised all the while.
    """

    word: str
    away: Callable[[PlantSite], None]
    back: Callable[[PlantSite], None]
    judges: bool = True


def restart_manager(site: PlantSite) -> None:
    site.manager.start()


def restart_kafka(site: PlantSite) -> None:
    site.kafka.start()
    site.kafka.wait_ready()


FAULTS = {
    "alarm manager": Fault(
        "no alarm manager", lambda site: site.manager.kill(), restart_manager, judges=False
    ),
    "kafka": Fault("stale", lambda site: site.kafka.kill(), restart_kafka, judges=False),
    "console": Fault(
        "stale", lambda site: site.console.kill(), lambda site: site.console.start() and None
    ),
    "cable": Fault("stale", lambda site: site.cable.freeze(), lambda site: site.cable.thaw()),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_away_is_said_in_time_and_comes_back_by_itself(site, eye, name):
    fault = FAULTS[name]
    number = list(FAULTS).index(name)
    site.overheat(FURNACES[number])
    site.newest(FURNACES[number])
    wait_for_same(site, eye)
    before = rows_of(eye)
    watch_rows(eye)
    eye.page.locator(".row", has_text=FURNACES[number][-6:]).focus()

    fault.away(site)
    promise = Promise(PROMISED_S)
    promise.until(
        lambda: eye.says(".link").startswith(fault.word) and is_hatched(eye),
        lambda: f"{name}: {eye.says('#banner')}",
    )
    assert eye.page.locator("[data-command=ack]").is_disabled()
    eye.press("a")
    eye.wait(".said", "no commands while the alarms are not live")
    assert rows_of(eye) == before, "what was known is still shown"
    later = FURNACES[5 + number]
    if fault.judges:
        site.overheat(later)
        site.newest(later)

    fault.back(site)
    eye.wait_live()
    assert not is_hatched(eye)
    if not fault.judges:
        site.overheat(later)
        site.newest(later)
    wait_for_same(site, eye)
    assert {row[:2] for row in before} <= {row[:2] for row in rows_of(eye)}
    assert fewest_rows(eye) >= len(before), "no row was ever missing"
    eye.press("a")
    eye.wait(".said", f"{FURNACES[number][-6:]} Furnace overheating: acknowledged")
    wait_for_same(site, eye)


def is_hatched(eye: Onlooker) -> bool:
    style = "getComputedStyle(document.body).backgroundImage"
    return "gradient" in eye.page.evaluate(style)


def test_without_redis_everything_goes_on(site, eye):
    site.overheat(FURNACES[10])
    site.newest(FURNACES[10])
    wait_for_same(site, eye)
    watch_rows(eye)
    before = len(rows_of(eye))

    site.redis.kill()
    site.judge(FURNACES[10], 6.0)
    eye.page.locator(".row", has_text="FMF-11").focus()
    eye.press("a")
    eye.wait(".said", "FMF-11")
    eye.wait(".row.open .state", "seen")
    assert eye.says(".link") == "live"

    site.redis.start()
    site.redis.wait_ready()
    wait_for_same(site, eye)
    assert fewest_rows(eye) >= before


def test_a_shelving_that_ends_while_nobody_manages_ends_all_the_same(site, eye):
    site.overheat(SHELVED)
    record = site.newest(SHELVED)
    eye.wait(".row .where", "FMF-12")
    shelving = {
        "alarm_id": record.alarm_id, "command": "shelve",
        "expected_event_id": record.annunciation_id,
        "arguments": {"duration_s": 5, "reason": "nuisance"},
    }  # fmt: skip
    too_long = shelving | {"arguments": {"duration_s": 10**6, "reason": "nuisance"}}
    assert site.console.ask("api/v1/commands", too_long)[0] == 409
    assert site.console.ask("api/v1/commands", shelving)[0] == 200
    until(lambda: all(row[0] != SHELVED for row in rows_of(eye)), "it is off the list")
    eye.page.locator("header button.plain").first.click()
    eye.wait("dialog", "by local, nuisance")
    left = ".aside-list li"
    first = eye.says(left)
    assert " s left" in first
    site.manager.kill()
    until(lambda: eye.says(left) != first, lambda: f"the time left goes on: {first}")
    eye.press("Escape")
    until_s = site.newest(SHELVED).shelve.until.timestamp()
    eye.until(f"Date.now() > {1000 * (until_s + 5)}", "twice its time")

    site.manager.start()
    eye.wait_live()
    eye.until(
        "[...document.querySelectorAll('.row')].some(row => row.textContent.includes('FMF-12')"
        " && row.textContent.includes('NEW'))",
        "it is NEW again",
    )
    wait_for_same(site, eye)
    own = [each for each in site.broker.alarms() if each.equipment_path == SHELVED]
    assert [each.transition.cause for each in own] == ["RAISE", "SHELVE", "CLOCK"]
