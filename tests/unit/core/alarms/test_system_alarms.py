"""Alarms about the system itself: raised by a word in scores, not by their logit."""

from dataclasses import replace

import pytest
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.system_alarms import (
    FURNACE_ALARMS,
    PLANT_ALARMS,
    SYSTEM_ALARMS,
    JudgedBy,
    system_points,
    words_of,
)
from meltwatch_schemas.alarm import AlarmRecord, Mode, Priority
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.point_rules import SYSTEM_CONDITIONS
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import (
    FURNACE,
    HOP_NS,
    command_fields,
    command_record,
    json_record,
    score,
    score_record,
    setpoint,
    window_end,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog, without_run

SYNC_SKEW = SYSTEM_ALARMS["SYNC_SKEW"]
ALARM_ID = f"{FURNACE}/SYNC_SKEW"
ON = -(-round(SYNC_SKEW.on_delay_s * NS_PER_S) // HOP_NS)
"""Hops from the first window with the word to the one that raises."""
OFF = -(-round(SYNC_SKEW.off_delay_s * NS_PER_S) // HOP_NS)


def skew_point() -> AlarmPoint:
    points = system_points(FURNACE, FURNACE_ALARMS)
    return next(point for point in points if point.alarm_id == ALARM_ID)


def apart(*numbers: int, logit: float | None = -3.0) -> list[WindowScore]:
    return [score(number, logit, reasons=("sync_skew",)) for number in numbers]


def together(*numbers: int, logit: float | None = -3.0) -> list[WindowScore]:
    return [score(number, logit) for number in numbers]


def records_of(scores: list[WindowScore], points: tuple[AlarmPoint, ...] = ()) -> list[AlarmRecord]:
    log = TopicLog(points={FURNACE: points} if points else {})
    log.judge(scores)
    return log.alarms()


def causes(records: list[AlarmRecord]) -> list[tuple[str, str]]:
    return [(record.alarm_id, record.transition.cause) for record in records]


def test_a_word_that_stays_for_the_on_delay_raises_the_alarm() -> None:
    (record,) = records_of([*together(0), *apart(*range(1, ON + 2))])
    assert causes([record]) == [(ALARM_ID, "RAISE")]
    assert (record.class_, record.priority) == ("system", Priority.LOW)
    assert record.condition_time == utc_from_ns(window_end(1))
    on_delay_ns = round(SYNC_SKEW.on_delay_s * NS_PER_S)
    assert record.raise_time == utc_from_ns(window_end(1) + on_delay_ns)
    assert (record.evidence.score, record.evidence.members) == (None, None)
    assert "sync_skew reported since" in record.message


def test_a_word_that_stays_for_less_raises_nothing() -> None:
    assert records_of([*apart(*range(ON)), *together(ON), *apart(*range(ON + 1, 2 * ON + 1))]) == []


def test_the_alarm_clears_when_the_word_was_away_for_the_off_delay() -> None:
    last = ON + 1 + OFF
    up_to = [*apart(*range(ON + 1)), *together(*range(ON + 1, last))]
    assert causes(records_of(up_to)) == [(ALARM_ID, "RAISE")]
    raised, cleared = records_of([*up_to, *together(last)])
    assert cleared.transition.cause == "CLEAR"
    assert cleared.occurrence_id == raised.occurrence_id
    assert cleared.message.endswith("returned to normal, no longer reported")


def test_a_stream_processor_that_starts_again_does_not_clear_it() -> None:
    """It names no skew for the ten minutes that it takes to its next estimate."""
    ten_minutes = round(600 / 1.44)
    silent = range(ON + 1, ON + 1 + ten_minutes)
    again = range(silent.stop, silent.stop + 200)
    assert causes(records_of([*apart(*range(ON + 1)), *together(*silent), *apart(*again)])) == [
        (ALARM_ID, "RAISE")
    ]


def test_a_stale_portrait_is_told_without_a_sound_with_the_command_that_makes_a_new_one() -> None:
    on, off = (-(-delay_s * NS_PER_S // HOP_NS) for delay_s in (20, 120))
    stale = [score(number, -3.0, reasons=("portrait_stale",)) for number in range(on + 1)]
    fits = [score(number, -3.0) for number in range(on + 1, on + off + 2)]
    raised, cleared = records_of([*stale, *fits])

    assert causes([raised, cleared]) == [
        (f"{FURNACE}/PORTRAIT_STALE", "RAISE"),
        (f"{FURNACE}/PORTRAIT_STALE", "CLEAR"),
    ]
    assert (raised.class_, raised.priority, raised.audible) == ("system", Priority.LOW, False)
    assert f"meltwatch portrait fit --furnace {FURNACE} --from -24h --publish" in (
        raised.guidance.action
    )
    assert cleared.clear_time == utc_from_ns(window_end(on + 1) + 120 * NS_PER_S)
    assert len(records_of([*stale, *fits[:-1]])) == 1


@pytest.mark.parametrize("modalities", [(), (Modality.CURRENT,)])
def test_unscored_windows_count_as_well(modalities: tuple[Modality, ...]) -> None:
    scores = [replace(s, modalities=modalities) for s in apart(*range(ON + 1), logit=None)]
    assert causes(records_of(scores)) == [(ALARM_ID, "RAISE")]


def test_word_and_logit_raise_each_their_own_alarm() -> None:
    assert causes(records_of(apart(*range(ON + 1), logit=3.0))) == [
        (f"{FURNACE}/OVERHEAT", "RAISE"),
        (ALARM_ID, "RAISE"),
    ]


@pytest.mark.parametrize("reasons", [(), ("no_video",), ("sync", "skew", "SYNC_SKEW")])
def test_no_logit_and_no_other_word_raises_it(reasons: tuple[str, ...]) -> None:
    scores = [score(number, 50.0, reasons=reasons) for number in range(2 * ON)]
    assert ALARM_ID not in {record.alarm_id for record in records_of(scores)}


def test_every_furnace_has_it_whatever_the_plant_file_lists() -> None:
    own = default_points(FURNACE)[0]
    master_list = MasterAlarmList({FURNACE: (own,)})
    names = {f"{FURNACE}/{condition}" for condition in FURNACE_ALARMS}
    assert set(master_list.of(FURNACE)) == {own.alarm_id, *names}
    assert {"a/b/OVERHEAT", "a/b/SYNC_SKEW"} <= set(master_list.of("a/b"))
    assert master_list.names(ALARM_ID)


def test_what_points_may_be_written_of_is_what_is_judged() -> None:
    assert SYSTEM_CONDITIONS - {"ALARM_PIPELINE_DOWN"} == SYSTEM_ALARMS.keys()


def test_the_plant_has_alarms_of_its_own_under_the_topic_prefix() -> None:
    master_list = MasterAlarmList({}, "p" * 100)
    plant = master_list.plant_equipment
    assert set(PLANT_ALARMS) < {name.rpartition("/")[2] for name in master_list.of(plant)}
    assert master_list.names(f"{plant}/PLANT_BLIND")
    assert not master_list.names("a/b/PLANT_BLIND")


def test_a_plant_file_may_write_it_another_way_and_needs_no_thresholds_for_it() -> None:
    point = skew_point()
    own = point.model_copy(
        update={
            "mode": Mode.SHADOW,
            "setpoint": setpoint(logit_on=9.0, logit_off=-9.0, on_delay_s=0, off_delay_s=1.44),
        }
    )
    raised, cleared = records_of([*apart(0), *together(1, 2)], points=(own,))
    assert (raised.mode, raised.retain) == (Mode.SHADOW, False)
    assert cleared.transition.cause == "CLEAR"


def test_a_point_of_the_topic_takes_its_place() -> None:
    point = skew_point()
    hasty = point.model_copy(update={"setpoint": setpoint(on_delay_s=0), "revision": "7"})
    log = TopicLog()
    pipeline = log.take_over()
    written = pipeline.handle_record(json_record(Topic.ALARM_POINTS, hasty, ALARM_ID), NOW_NS)
    written += pipeline.handle_record(score_record(apart(0)[0], 0), NOW_NS)
    log.write(written, pipeline)
    assert [record.config_rev for record in log.alarms()] == ["7"]


def test_it_is_acknowledged_like_any_other() -> None:
    log = TopicLog()
    log.judge(apart(*range(ON + 1)))
    (raised,) = log.alarms()
    successor = log.take_over()
    order = command_fields("ack", raised.event_id, alarm_id=ALARM_ID)
    log.write(successor.handle_record(command_record(order, key=ALARM_ID), NOW_NS), successor)
    assert [record.state for record in log.alarms()] == ["UNACK", "ACKED"]


@pytest.mark.parametrize("taken_over_at", [3, ON, ON + 5, ON + OFF - 1])
def test_a_successor_decides_as_if_nobody_had_taken_over(taken_over_at: int) -> None:
    scores = [*apart(*range(ON + 1)), *together(*range(ON + 1, ON + OFF + 2))]
    undisturbed = records_of(scores)
    log = TopicLog()
    log.judge(scores[:taken_over_at])
    begin = next(c.offset for place, c in log.commits.items() if c and place.topic is Topic.SCORES)
    log.judge(scores[begin:], begin=begin)
    assert [without_run(r) for r in log.alarms()] == [without_run(r) for r in undisturbed]


def test_conditions_and_words_stand_in_one_table() -> None:
    points = {point.condition: point for point in system_points("a/b", SYSTEM_ALARMS)}
    for condition, alarm in SYSTEM_ALARMS.items():
        point = points[condition]
        assert words_of(point) == (alarm.words or None)
        assert point.time_to_respond_s <= 1800, "later than that it is no alarm"
        assert not alarm.words or alarm.judge is JudgedBy.SCORES
    words = [word for alarm in SYSTEM_ALARMS.values() for word in alarm.words]
    assert len(words) == len(set(words))
    assert words_of(default_points(FURNACE)[0]) is None
