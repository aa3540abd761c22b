"""Suppressed by the furnace's state or a parent; told again by a timer or a higher priority."""

from typing import Any

import pytest
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm import Mode, Priority, Quality
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.outside import FurnaceStateWord
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import PREFIX, point, setpoint
from tests.unit.core.alarms.topic_log import TopicLog
from tests.unit.core.alarms.virtual_plant import VirtualPlant, unscored

FURNACE, OTHER = "a/F1", "a/F2"
NAME, HH = f"{FURNACE}/OVERHEAT", f"{FURNACE}/OVERHEAT_HH"
OFF, MELTING, TAPPING = (
    FurnaceStateWord.OFF,
    FurnaceStateWord.MELTING,
    FurnaceStateWord.TAPPING,
)


def hot(_furnace, _second):
    return {"logit": 6.0}


def warm(_furnace, _second):
    return {"logit": 3.0}


def cool(_furnace, _second):
    return {"logit": -3.0}


def high(**changes: Any):
    fields = {"alarm_id": HH, "condition": "OVERHEAT_HH", "setpoint": setpoint(logit_on=5.0)}
    return point(FURNACE, **(fields | changes))


def plant(*points: AlarmPoint, **changes: Any) -> VirtualPlant:
    all_points = (point(FURNACE, **changes), *points)
    return VirtualPlant((FURNACE,), TopicLog(points={FURNACE: all_points}))


def acked(heated: VirtualPlant) -> None:
    heated.order("ack", NAME, expected_event_id=heated.record(NAME).event_id)
    assert heated.record(NAME).state == "ACKED"


def told(records, name=NAME):
    return [(r.transition.cause, r.state.value) for r in records if r.alarm_id == name]


def test_a_furnace_state_suppresses_what_its_alarm_point_says():
    idle = plant(suppress_when=["off", "tapping"])
    idle.say(FURNACE, OFF)
    assert told(idle.run(15, hot)) == [("RAISE", "DSUPR")]
    assert idle.record(NAME).suppressed == ["furnace_state"]
    idle.say(FURNACE, TAPPING)
    assert told(idle.run(5, hot)) == []
    idle.take_over()
    assert told(idle.run(5, hot)) == []
    idle.say(FURNACE, MELTING)
    assert told(idle.run(5, hot)) == [("UNSUPPRESS", "UNACK")]
    idle.say(FURNACE, OFF)
    assert told(idle.run(5, hot)) == [("SUPPRESS", "DSUPR")]
    assert told(idle.run(20, cool)) == [("CLEAR", "NORM")]


def test_what_is_suppressed_while_it_is_shelved_stays_shelved_afterwards():
    idle = plant(suppress_when=["off"])
    idle.run(15, hot)
    idle.shelve(NAME, 600)
    idle.say(FURNACE, OFF)
    assert told(idle.run(5, hot)) == [("SUPPRESS", "DSUPR")]
    assert idle.record(NAME).suppressed == ["furnace_state", "shelved"]
    idle.say(FURNACE, MELTING)
    assert told(idle.run(5, hot)) == [("UNSUPPRESS", "SHLVD")]


def test_states_of_more_furnaces_than_there_may_be_are_set_aside():
    small = VirtualPlant((FURNACE,), TopicLog(max_furnaces=2))
    for number in range(4):
        small.say(f"a/F{number}", MELTING)
    letters = small.log.of(Topic.DEAD_LETTERS)
    assert [letter.key for letter in letters] == [b"a/F2", b"a/F3"]


def test_a_parent_masks_its_child_for_as_long_as_it_stands():
    two = plant(high(), masked_by=HH)
    records = two.run(15, hot)
    assert told(records, HH) == [("RAISE", "UNACK")]
    assert told(records)[0] == ("RAISE", "DSUPR")
    two.take_over()
    assert told(two.run(5, hot)) == []
    assert told(two.run(30, warm)) == []
    assert told(two.run(30, cool), HH) == [("CLEAR", "RTNUN")]
    assert two.record(NAME).state == "NORM"


def test_a_child_is_told_when_its_parent_ends_before_it():
    two = plant(high(setpoint=setpoint(logit_on=5.0, logit_off=4.0)), masked_by=HH)
    two.run(15, hot)
    assert told(two.run(30, warm)) == [("UNSUPPRESS", "UNACK")]
    assert told(two.run(15, hot)) == [("SUPPRESS", "DSUPR")]


@pytest.mark.parametrize("changes", [{"mode": Mode.SHADOW}, {"priority": Priority.JOURNAL}])
def test_a_parent_that_calls_nobody_masks_nothing(changes):
    two = plant(high(**changes), masked_by=HH)
    assert told(two.run(15, hot)) == [("RAISE", "UNACK")]


def test_a_parent_that_is_shelved_masks_nothing():
    two = plant(high(), masked_by=HH)
    two.run(15, hot)
    two.shelve(HH, 600)
    assert told(two.run(5, hot)) == [("UNSUPPRESS", "UNACK")]
    two.order("unshelve", HH)
    assert told(two.run(5, hot)) == [("SUPPRESS", "DSUPR")]


def test_a_grandchild_stays_masked_under_a_parent_that_is_masked():
    top = high(alarm_id=f"{FURNACE}/TOP", condition="TOP")
    three = plant(high(masked_by=top.alarm_id), top, masked_by=HH)
    three.run(15, hot)
    states = {name.rpartition("/")[2]: state for name, state in three.standing().items()}
    assert states == {"TOP": "UNACK", "OVERHEAT_HH": "DSUPR", "OVERHEAT": "DSUPR"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suppress_when": ["off", "asleep"]}, "suppress_when: expected some of off, heating"),
        ({"masked_by": NAME}, "masked_by: expected the id of another alarm"),
        ({"masked_by": "no slash"}, "masked_by: expected the id of another alarm"),
        ({"re_alarm_count_max": 3}, "re_alarm_count_max: expected re_alarm_s beside it"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(changes, said):
    with pytest.raises(ContractViolation, match=said):
        check_point(point(FURNACE, **changes))


@pytest.mark.parametrize(
    "points",
    [
        {FURNACE: (point(FURNACE, masked_by="a/F9/OVERHEAT"),)},
        {FURNACE: (point(FURNACE, masked_by=f"{FURNACE}/OVERHEAT_HH"),)},
        {FURNACE: (point(FURNACE, masked_by=HH), high(masked_by=NAME))},
        {
            FURNACE: (point(FURNACE, masked_by=f"{OTHER}/OVERHEAT"),),
            OTHER: (point(OTHER, masked_by=NAME),),
        },
    ],
)
def test_a_plant_with_parents_that_do_not_exist_or_go_in_a_circle_is_refused(points):
    with pytest.raises(ContractViolation, match="masked_by: expected"):
        MasterAlarmList(points, PREFIX).check_parents()


@pytest.mark.parametrize(
    "parent", [HH, f"{OTHER}/OVERHEAT", f"{FURNACE}/VIDEO_LOST", f"{PREFIX}/PLANT_BLIND"]
)
def test_a_parent_may_be_any_alarm_of_the_plant(parent):
    points = {FURNACE: (point(FURNACE, masked_by=parent), high()), OTHER: ()}
    MasterAlarmList(points, PREFIX).check_parents()


def test_a_point_of_the_topic_that_would_mask_itself_is_set_aside():
    heated = plant(high(masked_by=f"{OTHER}/OVERHEAT"))
    heated.set_point(point(OTHER, masked_by=NAME))
    heated.set_point(point(FURNACE, masked_by=HH))
    (letter,) = heated.log.of(Topic.DEAD_LETTERS)
    assert (letter.key, b"masked_by" in dict(letter.headers)["dlq.detail"]) == (NAME.encode(), True)


def test_an_acknowledged_alarm_is_told_again_until_it_has_been_told_often_enough():
    heated = plant(re_alarm_s=30.0, re_alarm_count_max=2)
    heated.run(15, hot)
    assert told(heated.run(60, hot)) == []
    for times in (1, 2):
        acked(heated)
        heated.run(20, hot)
        heated.take_over()
        assert told(heated.run(20, hot)) == [("REALARM", "UNACK")]
        assert heated.record(NAME).re_alarms == times
    acked(heated)
    assert told(heated.run(60, hot)) == []
    heated.run(20, cool)
    heated.run(15, hot)
    assert heated.record(NAME).re_alarms is None


def test_what_is_shelved_is_not_told_again():
    heated = plant(re_alarm_s=30.0)
    heated.run(15, hot)
    acked(heated)
    heated.shelve(NAME, 600)
    assert told(heated.run(60, hot)) == []


def test_a_higher_priority_tells_an_acknowledged_alarm_again_and_a_lower_one_does_not():
    heated = plant()
    heated.run(15, hot)
    acked(heated)
    heated.set_point(point(FURNACE, priority=Priority.LOW))
    assert told(heated.run(5, hot)) == []
    heated.set_point(point(FURNACE, priority=Priority.CRITICAL))
    assert told(heated.run(5, hot)) == [("REALARM", "UNACK")]
    record = heated.record(NAME)
    assert (record.priority, record.severity, record.re_alarms) == ("critical", 900, None)
    assert told(heated.run(5, hot)) == []


def test_a_higher_priority_is_told_of_an_alarm_that_nobody_has_acknowledged_yet():
    heated = plant()
    heated.run(15, hot)
    heated.set_point(point(FURNACE, priority=Priority.CRITICAL))
    assert told(heated.run(5, hot)) == [("REALARM", "UNACK")]


def test_an_alarm_holds_while_its_camera_is_away_and_says_how_little_it_knows() -> None:
    """The furnace burns, the camera is pulled out, and nothing clears for want of data."""
    plant = VirtualPlant((FURNACE,), TopicLog({FURNACE: (point(FURNACE),)}))
    plant.run(60, hot)
    assert plant.standing() == {NAME: "UNACK"}

    records = plant.run(120, lambda *_: unscored("no_video", modalities=(Modality.CURRENT,)))

    assert plant.standing() == {NAME: "UNACK", f"{FURNACE}/VIDEO_LOST": "UNACK"}
    assert "CLEAR" not in {each.transition.cause for each in records}
    last = plant.record(NAME)
    assert (last.active, last.quality) == (True, Quality.UNCERTAIN)
    assert "no_video" in last.quality_reasons
    plant.run(60, hot)
    assert plant.record(f"{FURNACE}/VIDEO_LOST").transition.cause == "CLEAR"
