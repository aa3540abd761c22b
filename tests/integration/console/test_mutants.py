"""Rules that must not be lost, each broken once: what is seen is then another thing.

A mutant is a file of the page with one place changed. Beside each stands the test that holds the
rule; here the same look is taken at the page as it is, and as the mutant has it. The mutant that
lets the browser name the user is in ``tests/unit/console/test_mailbox.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_console.adapters.http.static_files import FOLDER
from meltwatch_schemas.window import NS_PER_S

from tests.integration.console.furnace_forge import (
    AGO_S,
    FURNACE,
    LONG_S,
    FurnaceForge,
    told,
    wait_for_scores,
)
from tests.integration.console.onlooker import Onlooker
from tests.integration.console.scene import FURNACES, Scene, wait_rows

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.browser]
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def scene(kafka, chromium, tmp_path_factory) -> Iterator[Scene]:
    with Scene(kafka, tmp_path_factory.mktemp("scene"), chromium) as made:
        origin_ns = SystemClock().now_ns() - AGO_S * NS_PER_S
        made.furnace = FurnaceForge(kafka.address, made.topics, FURNACE, origin_ns)
        made.furnace.write(LONG_S)
        wait_for_scores(made.console, made.furnace)
        made.forge.raised(f"{FURNACE}/OVERHEAT", "critical", **told(made.furnace.loud()))
        made.forge.state(f"{FURNACES[1]}/OVERHEAT", "RTNUN", "medium")
        made.record = made.forge.raised(f"{FURNACES[2]}/OVERHEAT", "high", title="new")
        made.forge.flush()
        yield made


def counts_what_has_gone_unseen(scene: Scene, eye: Onlooker) -> bool:
    """``test_access.test_states_and_priorities_differ_without_colour`` holds it, too."""
    return "medium 1, 1 new" in eye.says("#banner")


def keeps_the_newer_record(scene: Scene, eye: Onlooker) -> bool:
    """``test_commands.test_acknowledging_what_has_changed…`` holds the other direction."""
    changes = {"seq": scene.record.seq - 1, "event_id": "0" * 32, "title": "older"}
    older = scene.record.model_copy(update=changes)
    answer = {
        "command_id": "x", "error": {"code": "stale", "message": "expected the newest"},
        "newest": older.model_dump(mode="json", by_alias=True),
    }  # fmt: skip
    eye.page.route("**/api/v1/commands", lambda route: route.fulfill(status=409, json=answer))
    eye.page.locator(".row", has_text="FMF-03").focus()
    eye.press("a")
    eye.wait(".said", "refused: it has changed, look again")
    eye.page.evaluate(DRAWN)
    return eye.page.locator(".row .title", has_text="older").count() == 0


def shows_the_windows_own_frame(scene: Scene, eye: Onlooker) -> bool:
    """``test_plant_page.test_the_first_screen_shows_what_the_camera_saw…`` holds it, too."""
    eye.page.locator(".row", has_text="FMF-01").focus()
    eye.wait(".row.open .frame")
    own = scene.furnace.pixels(scene.furnace.loud().frames[-1].event_ns)
    return np.array_equal(eye.pixels_of(".row.open .frame"), own)


@dataclass(frozen=True)
class PageMutant:
    """A file of the page with one place changed.

    Attributes
    ----------
    file
        Beneath ``static``.
    here, instead
        What stands there, and what stands there in the mutant.
    holds
        Whether the rule is seen to hold.
    """

    file: str
    here: str
    instead: str
    holds: Callable[[Scene, Onlooker], bool]


MUTANTS = {
    "counts RTNUN as acknowledged": PageMutant(
        "app/wording.js", '["UNACK", "RTNUN", "LATUN"]', '["UNACK", "LATUN"]',
        counts_what_has_gone_unseen,
    ),
    "takes an older (epoch, seq)": PageMutant(
        "app/state.js", "alarm.seq > than.seq", "true", keeps_the_newer_record
    ),
    "shows the newest frame instead of the window's own": PageMutant(
        "app/films.js", "/frames?at=${endMs}", "/frames", shows_the_windows_own_frame
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_page_is_noticed(scene, name):
    mutant = MUTANTS[name]
    text = (FOLDER / mutant.file).read_text()
    assert text.count(mutant.here) == 1, "the rule has moved"
    sound = scene.look(reduced_motion="reduce")
    wait_rows(sound, 3)
    assert mutant.holds(scene, sound)

    broken = scene.look(reduced_motion="reduce")
    body = text.replace(mutant.here, mutant.instead)
    if name.startswith("shows"):  # and takes it for the window's own
        body = body.replace("endMs - last.window_end_ms < HOP_MS", "true")
    broken.page.route(
        f"**/{mutant.file}", lambda route: route.fulfill(body=body, content_type="text/javascript")
    )
    broken.page.reload()
    broken.wait_live()
    wait_rows(broken, 3)
    assert not mutant.holds(scene, broken)
