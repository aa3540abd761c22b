"""What scores do to alarms, record by record."""

from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Any

from meltwatch_core.alarms.snapshot import event_id, occurrence_id
from meltwatch_schemas import default_points as points
from meltwatch_schemas.alarm import AlarmState, Mode, Quality
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.locale import Locale
from meltwatch_schemas.score import Modality, WindowScore

from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    HOP_NS,
    point,
    score,
    setpoint,
    window_end,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

CURRENT_ONLY = (Modality.CURRENT,)


def records_of(*scores: WindowScore, points: Mapping[str, tuple[AlarmPoint, ...]] | None = None):
    """Return the alarm records that scores cause."""
    log = TopicLog(points=dict(points or {}))
    log.judge(scores)
    return log.alarms()


def high(*numbers: int, **changes: Any):
    return [score(number, 3.0, **changes) for number in numbers]


def low(*numbers: int, **changes: Any):
    return [score(number, -3.0, **changes) for number in numbers]


def causes(records):
    return [(record.transition.cause, record.state.value) for record in records]


def test_a_raise_says_when_the_condition_began_and_when_it_had_held_long_enough():
    (record,) = records_of(*low(0), *high(1, 2, 3, 4))
    assert record.condition_time == utc_from_ns(window_end(1))
    assert record.raise_time == record.condition_time + timedelta(
        seconds=points.DEFAULT_SETPOINT.on_delay_s
    )
    assert (record.clear_time, record.ack_time) == (None, None)


def test_a_raise_carries_everything_that_an_operator_needs():
    (record,) = records_of(*high(0, 1, 2, 3))
    assert record.state is AlarmState.UNACK
    assert (record.active, record.acked, record.latched, record.retain) == (
        True, False, False, True,
    )  # fmt: skip
    assert (record.priority, record.severity, record.class_) == ("high", 700, "process")
    assert record.evidence.score == 3.0
    assert record.evidence.threshold == points.DEFAULT_SETPOINT.logit_on
    assert record.evidence.window_end == utc_from_ns(window_end(3))
    assert record.evidence.window_end - record.evidence.window_start == timedelta(seconds=120)
    assert record.evidence.members == [3.0, 3.0]
    assert record.model.preproc == "dct-192-a375f01fafb8"
    assert record.guidance.action
    assert record.times.published == utc_from_ns(NOW_NS)
    assert record.quality is Quality.GOOD


def test_ids_can_be_computed_again_from_the_record():
    (record,) = records_of(*high(0, 1, 2, 3))
    assert record.occurrence_id == occurrence_id(ALARM_ID, record.condition_time, None)
    assert record.event_id == event_id(ALARM_ID, record.epoch, record.seq)
    assert len(record.event_id) == 32


def test_a_replay_has_occurrences_of_its_own():
    (live,) = records_of(*high(0, 1, 2, 3))
    (replayed,) = records_of(*high(0, 1, 2, 3, run_id="r1"))
    assert replayed.run_id == "r1"
    assert replayed.occurrence_id != live.occurrence_id


def test_clearing_before_the_acknowledgement_leaves_the_alarm_unacknowledged():
    raised, cleared = records_of(*high(0, 1, 2, 3), *low(4, 5, 6, 7, 8, 9, 10))
    assert cleared.state is AlarmState.RTNUN
    assert cleared.occurrence_id == raised.occurrence_id
    assert cleared.clear_time == utc_from_ns(window_end(10))
    assert cleared.condition_time == raised.condition_time


def test_a_second_raise_is_a_new_occurrence_and_counts():
    swings = [[*high(*range(n, n + 4)), *low(*range(n + 4, n + 11))] for n in (0, 11, 22)]
    records = records_of(*(swung for swing in swings for swung in swing))
    assert [record.count_24h for record in records] == [1, 1, 2, 2, 3, 3]
    assert len({record.occurrence_id for record in records}) == 3
    assert records[2].clear_time is None


def test_raises_older_than_a_day_do_not_count():
    day = 24 * 3600 * 1_000_000_000 // HOP_NS
    later = range(day + 20, day + 24)
    records = records_of(*high(0, 1, 2, 3), *low(*range(4, 11)), *high(*later))
    assert records[-1].count_24h == 1


def test_degraded_windows_count_on_the_same_scale():
    (record,) = records_of(*high(0, 1, 2, 3, modalities=CURRENT_ONLY))
    assert record.quality is Quality.UNCERTAIN
    assert record.quality_reasons == ["video_unavailable"]


def test_unscored_windows_never_clear_and_tell_that_the_input_is_bad():
    blind = [score(number, None, modalities=()) for number in range(4, 40)]
    records = records_of(*high(0, 1, 2, 3), *blind)
    assert causes(records) == [("RAISE", "UNACK"), ("QUALITY", "UNACK")]
    assert records[1].quality is Quality.BAD
    assert records[1].evidence == records[0].evidence


def test_a_model_that_is_away_makes_the_quality_uncertain():
    away = [score(number, None, reasons=("model_unavailable",)) for number in range(4, 14)]
    records = records_of(*high(0, 1, 2, 3), *away)
    assert records[1].quality is Quality.UNCERTAIN
    assert records[1].quality_reasons == ["model_unavailable"]


def test_unscored_windows_never_raise():
    assert records_of(*[score(number, None, modalities=()) for number in range(40)]) == []


def test_quality_is_not_told_of_alarms_that_nobody_sees():
    degraded = [score(number, -1.0, modalities=CURRENT_ONLY) for number in range(5)]
    assert records_of(*degraded, *low(5, 6)) == []


def test_windows_that_are_not_newer_change_nothing():
    between = score(12, 1.0)
    records = records_of(*high(0, 1, 2, 3), between, *low(*range(4, 12)), *low(*range(4, 13)))
    assert causes(records) == [("RAISE", "UNACK")]


def test_an_unregistered_furnace_has_the_default_point_and_is_marked():
    (record,) = records_of(*high(0, 1, 2, 3))
    assert (record.alarm_id, record.unregistered) == (ALARM_ID, True)
    (record,) = records_of(*high(0, 1, 2, 3), points={FURNACE: ()})
    assert (record.alarm_id, record.unregistered) == (ALARM_ID, False)


def test_each_alarm_point_of_a_furnace_has_its_own_thresholds():
    higher = point(
        alarm_id=f"{FURNACE}/OVERHEAT_HH", setpoint=setpoint(logit_on=5.0, on_delay_s=0.0)
    )
    records = records_of(*high(0, 1, 2, 3), score(4, 6.0), points={FURNACE: (point(), higher)})
    assert [record.alarm_id for record in records] == [ALARM_ID, higher.alarm_id]
    assert len({(record.epoch, record.seq) for record in records}) == 2


def test_scores_do_not_raise_alarms_of_our_own_parts():
    system = point(alarm_id=f"{FURNACE}/CAM_STALE", class_="system")
    assert records_of(*high(0, 1, 2, 3), points={FURNACE: (system,)}) == []


def test_a_shadow_point_is_recorded_and_never_on_an_operators_list():
    (record,) = records_of(*high(0, 1, 2, 3), points={FURNACE: (point(mode=Mode.SHADOW),)})
    assert (record.state, record.mode, record.retain) == ("UNACK", "shadow", False)


def test_an_alarm_that_needs_no_acknowledgement_just_goes():
    points = {FURNACE: (point(ack_required=False),)}
    records = records_of(*high(0, 1, 2, 3), *low(*range(4, 11)), points=points)
    assert causes(records) == [("RAISE", "UNACK"), ("CLEAR", "NORM")]
    assert not records[-1].retain


def test_two_models_on_one_furnace_are_each_ignored_when_not_newer():
    records = records_of(*high(0, 1), *low(0, 1, model="other"), *high(2, 3))
    assert causes(records) == []


def test_what_an_adapter_needs_to_know_stands_in_every_record() -> None:
    shown = point(
        audible=False, causes=["lining worn"], display_url="https://a/b", class_="process"
    )
    locale = Locale(timezone(timedelta(hours=8)), "Asia/Shanghai", "zh-CN")
    log = TopicLog(points={FURNACE: (shown,)}, locale=locale)
    log.judge([*high(0, 1, 2, 3), *low(*range(4, 11))])

    raised, cleared = log.alarms()
    for record in (raised, cleared):
        assert (record.audible, record.causes, record.display_url) == (
            *(False, ["lining worn"]),
            "https://a/b",
        )
        assert (record.time_zone, record.language) == ("Asia/Shanghai", "zh-CN")
        assert record.evidence.probability == 0.5
        assert "logit" not in record.message
    assert raised.message.endswith(f"since {locale.clock(raised.condition_time)}, alarm from 2")
    assert "UTC+08:00" in raised.message
    assert "returned to normal, score " in cleared.message
