"""Thresholds to be tried: how they are said, and which alarm points they touch."""

import pytest
from meltwatch_backtester.domain.thresholds import (
    Threshold,
    Thresholds,
    TriedAlarmList,
    parse_thresholds,
)
from meltwatch_chassis.errors import BadUsage
from meltwatch_core.alarms.alarm import ReceivedScore
from meltwatch_core.alarms.registry import AlarmRegistry
from meltwatch_schemas.default_points import OVERHEAT, default_points

from tests.unit.core.alarms.samples import score

FURNACE = "hall/FMF-01"
ALARM = f"{FURNACE}/{OVERHEAT}"


def test_thresholds_are_told_for_all_or_for_one_alarm():
    told = parse_thresholds(["4", f"{ALARM}=2.5/-1"])
    assert told == Thresholds(Threshold(4.0), {ALARM: Threshold(2.5, -1.0)})


@pytest.mark.parametrize(
    "text", ["", "high", "2/3", "nan", "inf", "2/nan", "2/-inf", "1/2/3", "=3", "hall=3", "a b/X=3"]
)
def test_what_is_no_threshold_is_refused_in_one_line(text):
    with pytest.raises(BadUsage, match="--threshold"):
        parse_thresholds([text])


@pytest.mark.parametrize("condition", ["CURRENT_IMBALANCE", "NOVELTY", "VIDEO_LOST"])
def test_a_threshold_that_would_do_nothing_is_refused(condition):
    with pytest.raises(BadUsage, match="judged by the score"):
        parse_thresholds([f"{FURNACE}/{condition}=3/1"])


@pytest.mark.parametrize(
    ("told", "levels"), [("4", (4.0, 1.0)), ("0.5", (0.5, 0.5)), ("4/2", (4.0, 2.0))]
)
def test_without_off_the_alarm_points_own_stays_where_it_can(told, levels):
    point = TriedAlarmList({}, parse_thresholds([told])).of(FURNACE)[ALARM]
    own = default_points(FURNACE)[0]
    assert (point.setpoint.logit_on, point.setpoint.logit_off) == levels
    assert point.setpoint.on_delay_s == own.setpoint.on_delay_s
    assert point.model_copy(update={"setpoint": own.setpoint}) == own


def test_only_overheat_is_tried_unless_an_alarm_is_named():
    points = TriedAlarmList({}, parse_thresholds(["4"]))
    tried = {name: points.differs(name, FURNACE) for name in points.of(FURNACE)}
    assert tried == {name: name == ALARM for name in tried}
    assert len(tried) > 1


def test_an_override_of_the_topic_is_tried_as_well():
    points = TriedAlarmList({}, parse_thresholds([f"{ALARM}=4/2"]))
    assert points.of(FURNACE)[ALARM].revision == "default"
    points.override(ALARM, default_points(FURNACE)[0].model_copy(update={"revision": "7"}))
    found = points.of(FURNACE)[ALARM]
    assert (found.revision, found.setpoint.logit_on) == ("7", 4.0)
    assert points.of(FURNACE)[ALARM] is found


def test_the_set_point_in_force_is_no_trial():
    points = TriedAlarmList({}, parse_thresholds(["3.0/1.0"]))
    assert not points.differs(ALARM, FURNACE)


def test_scores_are_judged_by_the_thresholds_that_are_tried():
    registry = AlarmRegistry(TriedAlarmList({}, parse_thresholds(["4/2"])))
    stirred = registry.stirred_by(ReceivedScore(score(1, 3.5, FURNACE), 0))
    (alarm,) = [each for each in stirred if each.point.alarm_id == ALARM]
    assert (alarm.point.setpoint.logit_on, alarm.point.setpoint.logit_off) == (4.0, 2.0)
