"""Blind is never silent: what each lasting fault says, and that a good day says nothing."""

from collections.abc import Mapping

import pytest
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.outside import FurnaceStateWord
from meltwatch_schemas.score import Modality

from tests.support.examples import is_long
from tests.unit.core.alarms.samples import PREFIX
from tests.unit.core.alarms.virtual_plant import (
    Fault,
    VirtualPlant,
    at,
    begun,
    clean,
    marked,
    unscored,
    window,
)

pytestmark = pytest.mark.wide
HOUR_S = 3600.0
LASTS_S = HOUR_S if is_long() else 720.0
"""At least longer than the ten minutes of the longest rule that looks back."""
VIDEO, CURRENT = (Modality.VIDEO,), (Modality.CURRENT,)
FIRST = "a/F1"
TWO = (FIRST, "a/F2")
PLANT_BLIND, TRITON_DOWN = f"{PREFIX}/PLANT_BLIND", f"{PREFIX}/TRITON_DOWN"


def of_each(faults: Mapping[str, dict | None]) -> Fault:
    """A fault of each of some furnaces, from second 60 on, as long as ``LASTS_S``."""

    def fault(furnace_id: str, second: float) -> dict | None:
        is_hit = furnace_id in faults and 60 <= second < 60 + LASTS_S
        return faults[furnace_id] if is_hit else {}

    return fault


def of_first(changes: dict | None) -> Fault:
    return of_each({FIRST: changes})


def of_all(changes: dict | None) -> Fault:
    return lambda _furnace_id, second: of_first(changes)(FIRST, second)


def told(records: list[AlarmRecord]) -> list[tuple[str, str]]:
    """Each record by its alarm's name and the state that it leads to."""
    return [(record.alarm_id.rpartition("/")[2], record.state.value) for record in records]


def announced(records: list[AlarmRecord]) -> list[str]:
    return [name for name, state in told(records) if state == "UNACK"]


def blind_record(records: list[AlarmRecord]) -> AlarmRecord:
    return next(record for record in records if record.alarm_id == PLANT_BLIND)


def test_clean_furnaces_say_nothing() -> None:
    plant = VirtualPlant(TWO)
    assert plant.run(2 * LASTS_S) == []
    assert seen(plant) == (2, 0)


def seen(plant: VirtualPlant) -> tuple[int | None, int | None]:
    """What the next heartbeat says: watched and blind."""
    message = Heartbeat.from_json(plant.manager.heartbeat(at(plant.now_s)).value or b"")
    return message.watched, message.blind


LASTING = {
    "gone camera": (marked("no_video", modalities=CURRENT), {"VIDEO_LOST"}),
    "frozen picture": (marked("frozen_video", modalities=CURRENT), {"VIDEO_LOST"}),
    "gone meter": (marked("low_current_coverage", modalities=VIDEO), {"CURRENT_LOST"}),
    "both gone": (
        unscored("no_video", "no_current", modalities=()), {"VIDEO_LOST", "CURRENT_LOST"}
    ),
    "clock step": (marked("clock_step_current"), {"CLOCK_FAULT"}),
    "clock ahead": (marked("future_video"), {"CLOCK_FAULT"}),
    "model away": (unscored("model_unavailable"), {"SCORING_LOST"}),
    "gateway gone": (None, {"FURNACE_SILENT"}),
}  # fmt: skip


def test_a_lasting_fault_at_one_furnace_is_one_alarm_whatever_its_neighbours_have() -> None:
    names = {f"a/{what.replace(' ', '-')}": what for what in LASTING}
    plant = VirtualPlant(tuple(names))
    faults = of_each({name: LASTING[what][0] for name, what in names.items()})
    expected = [
        (f"{name}/{condition}", state)
        for name, what in names.items()
        for condition in LASTING[what][1]
        for state in ("UNACK", "RTNUN")
    ]
    records = plant.run(60 + LASTS_S + 60, faults)
    assert sorted((each.alarm_id, each.state.value) for each in records) == sorted(expected)
    assert all(second(each) < 60 + 30 for each in records if each.state == "UNACK")


def test_a_furnace_is_said_to_be_silent_within_thirty_seconds() -> None:
    plant = VirtualPlant()
    (record,) = plant.run(600, of_first(None))
    assert (record.transition.cause, record.priority) == ("CLOCK", "medium")
    assert 60 + 20 <= second(record) < 60 + 25
    assert seen(plant) == (4, 1)


def second(record: AlarmRecord) -> float:
    return (record.times.published.timestamp() * 1e9 - at(0)) / 1e9


def test_a_plant_without_windows_is_one_announcement_and_its_end_leaves_nothing() -> None:
    plant = VirtualPlant()
    records = plant.run(60 + LASTS_S + 60, of_all(None))
    assert announced(records) == ["PLANT_BLIND"]
    assert "of 4 watched furnaces without a verdict (" in blind_record(records).message
    silent = [state for name, state in told(records) if name == "FURNACE_SILENT"]
    assert silent == ["DSUPR"] * 4 + ["NORM"] * 4
    assert plant.standing() == {PLANT_BLIND: "RTNUN"}


def test_a_model_that_is_away_is_one_announcement() -> None:
    plant = VirtualPlant(TWO)
    records = plant.run(60 + LASTS_S + 60, of_all(unscored("model_unavailable")))
    assert announced(records) == ["PLANT_BLIND"]
    assert "model_unavailable" in blind_record(records).message
    assert told(records).count(("SCORING_LOST", "DSUPR")) == 2
    assert told(records).count(("TRITON_DOWN", "DSUPR")) == 1
    assert len(records) == 8


def test_a_model_that_is_slow_for_half_the_plant_is_triton_and_masks_its_furnaces() -> None:
    plant = VirtualPlant()

    def slow(furnace_id: str, seconds: float) -> dict | None:
        return marked("scoring_lag") if furnace_id < "a/F3" and 60 <= seconds < 600 else {}

    records = plant.run(700, slow)
    assert announced(records) == ["TRITON_DOWN"]
    assert told(records).count(("SCORING_LOST", "NORM")) == 2


def test_a_child_that_is_still_true_when_its_parent_ends_is_announced_then() -> None:
    plant = VirtualPlant()

    def fault(furnace_id: str, seconds: float) -> dict | None:
        if 60 <= seconds < 200:
            return None
        return marked("no_video", modalities=CURRENT) if furnace_id == FIRST else {}

    records = plant.run(40, fault)
    assert announced(records) == ["VIDEO_LOST"]
    assert plant.run(100, fault)
    assert plant.standing()[f"{FIRST}/VIDEO_LOST"] == "DSUPR"
    assert announced(plant.run(200, fault)) == ["VIDEO_LOST"]
    assert plant.standing()[f"{FIRST}/VIDEO_LOST"] == "UNACK"


@pytest.mark.parametrize("word", [FurnaceStateWord.OFF, FurnaceStateWord.MAINTENANCE])
def test_a_furnace_at_rest_is_not_watched(word: FurnaceStateWord) -> None:
    plant = VirtualPlant()
    assert plant.run(60, of_first(None)) == []
    plant.say(FIRST, word)
    assert plant.run(300, of_first(None)) == []
    assert seen(plant) == (3, 0)
    plant.say(FIRST, FurnaceStateWord.HEATING)
    assert announced(plant.run(15, of_first(None))) == []
    assert announced(plant.run(15, of_first(None))) == ["FURNACE_SILENT"]
    plant.say(FIRST, word)
    assert told(plant.run(2, of_first(None))) == [("FURNACE_SILENT", "RTNUN")]


def test_a_furnace_of_the_plant_file_that_never_sends_is_silent() -> None:
    plant = VirtualPlant()
    plant.log.points[f"a/{'F9'}"] = ()
    plant.manager = plant.log.take_over()
    (record,) = plant.run(60)
    assert (record.alarm_id, record.unregistered) == ("a/F9/FURNACE_SILENT", False)


def test_a_furnace_that_nobody_registered_is_forgotten_after_a_day() -> None:
    plant = VirtualPlant(("a/F1",))
    plant.run(60)
    assert announced(plant.run(60, of_all(None))) == ["FURNACE_SILENT"]
    plant.now_s += 24 * HOUR_S - 200
    assert plant.run(30, is_read=True, fault=lambda *_: None) == []
    plant.now_s += 200
    assert told(plant.run(30, fault=lambda *_: None)) == [("FURNACE_SILENT", "RTNUN")]
    assert seen(plant) == (0, 0)


def test_what_a_manager_could_not_read_is_no_silence() -> None:
    plant = VirtualPlant()
    plant.run(60)
    plant.run(300, is_read=False)
    assert plant.log.alarms() == []
    assert seen(plant) == (4, 4)
    assert plant.run(15, fault=lambda *_: None) == []
    assert announced(plant.run(15, fault=lambda *_: None)) == ["PLANT_BLIND"]


def test_a_take_over_raises_nothing_and_clears_nothing() -> None:
    plant = VirtualPlant()
    plant.run(120, of_first(None))
    before = plant.standing()
    assert before == {f"{FIRST}/FURNACE_SILENT": "UNACK"}
    plant.take_over()
    assert plant.manager.heartbeat(at(plant.now_s)).value
    assert seen(plant) == (None, None)
    assert plant.run(60, of_first(None)) == []
    assert plant.standing() == before
    assert seen(plant) == (4, 1)


def test_a_worker_that_takes_31_s_to_come_back_is_told_once_and_clears() -> None:
    plant = VirtualPlant()
    records = plant.run(200, lambda _furnace, s: None if 60 <= s < 91 else {})
    assert announced(records) == ["PLANT_BLIND"]
    plant = VirtualPlant()
    one = plant.run(200, lambda f, s: None if f == FIRST and 60 <= s < 91 else {})
    assert told(one) == [("FURNACE_SILENT", "UNACK"), ("FURNACE_SILENT", "RTNUN")]


def test_history_that_is_caught_up_is_no_verdict_of_now() -> None:
    plant = VirtualPlant()
    plant.run(60)
    assert announced(plant.run(300, lambda *_: None)) == ["PLANT_BLIND"]
    late = [window(200 + n, f, plant.now_s, {}) for f in plant.furnaces for n in range(15)]
    for made in late:
        plant.hear(made)
    assert plant.run(40, lambda *_: None) == []
    assert seen(plant) == (4, 4)


def test_a_source_that_begins_is_not_lost() -> None:
    plant = VirtualPlant()

    def beginning(_furnace_id: str, seconds: float) -> dict | None:
        if seconds < 114:
            words = ("no_video", "low_current_coverage")
            return {**unscored(*words, modalities=()), "source_states": begun(current=0.0)}
        if seconds < 120:
            states = begun(video=114.0, current=0.0)
            return {**marked("low_video_coverage", modalities=CURRENT), "source_states": states}
        return {"source_states": begun(video=114.0, current=0.0)}

    records = plant.run(300, beginning)
    assert announced(records) == ["PLANT_BLIND"], "no verdict for two minutes is told"
    dead = VirtualPlant((FIRST,))
    fault = lambda *_: {  # noqa: E731
        **marked("no_video", modalities=CURRENT),
        "source_states": begun(current=0.0),
    }
    assert [int(second(r)) for r in dead.run(300, fault)] == [pytest.approx(140, abs=4)]


def test_process_alarms_hold_while_a_furnace_is_blind() -> None:
    plant = VirtualPlant((FIRST,))
    hot = lambda *_: {"logit": 6.0}  # noqa: E731
    assert announced(plant.run(60, hot)) == ["OVERHEAT"]
    blind = plant.run(600, lambda *_: unscored("no_video", "no_current", modalities=()))
    assert {name for name, _ in told(blind)} >= {"VIDEO_LOST", "CURRENT_LOST"}
    assert plant.standing()[f"{FIRST}/OVERHEAT"] == "UNACK"
    plant.run(600, lambda *_: None)
    assert plant.standing()[f"{FIRST}/OVERHEAT"] == "UNACK"
    plant.run(60, clean)
    assert plant.standing()[f"{FIRST}/OVERHEAT"] == "RTNUN"


def test_a_furnace_whose_name_leaves_no_room_for_an_alarm_ends_nothing() -> None:
    long = "/".join(["a" * 60] * 3) + "/a"  # 184 bytes: OVERHEAT fits behind it, others do not
    plant = VirtualPlant((long, "a/F1"))
    plant.run(60)
    told_of = {record.alarm_id for record in plant.run(60, lambda *_: None)}
    assert "a/F1/FURNACE_SILENT" in told_of
    assert PLANT_BLIND in told_of


def test_furnaces_beyond_the_bound_are_refused_and_those_of_the_plant_file_are_not() -> None:
    plant = VirtualPlant(("a/F1", "a/F2", "a/F3"))
    plant.log.points["a/F3"] = ()
    plant.log.max_furnaces = 2
    plant.manager = plant.log.take_over()
    assert plant.run(60) == []
    assert seen(plant)[0] == 2
