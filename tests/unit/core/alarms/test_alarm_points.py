"""Alarm points come from the topic, over the plant file, over the defaults."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from meltwatch_core.alarms.system_alarms import SYSTEM_ALARMS
from meltwatch_schemas.alarm_point import AlarmPoint, PointChange
from meltwatch_schemas.point_rules import MAX_VOTES, SYSTEM_CONDITIONS, who_and_why_headers
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic
from structlog.testing import capture_logs

from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    json_record,
    point,
    score,
    score_record,
    setpoint,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

HASTY = setpoint(logit_on=1.0, on_delay_s=0.0)


def point_record(made: AlarmPoint, offset: int = 0, key: str = ALARM_ID):
    return json_record(Topic.ALARM_POINTS, made, key, offset)


def first_alarm(log: TopicLog, *point_records: RawRecord, logit: float = 1.5):
    """Return the records that one score of 1.5 causes after some alarm point records."""
    pipeline = log.take_over()
    written = []
    for record in point_records:
        written += pipeline.handle_record(record, NOW_NS)
    written += pipeline.handle_record(score_record(score(0, logit), 0), NOW_NS)
    log.write(written, pipeline)
    return log.alarms()


def test_a_point_of_the_topic_takes_the_place_of_the_default():
    (record,) = first_alarm(
        TopicLog(), point_record(point(setpoint=HASTY, revision="7", title="Hot"))
    )
    assert (record.evidence.threshold, record.config_rev, record.title) == (1.0, "7", "Hot")


def test_a_point_of_the_topic_takes_the_place_of_the_plant_files():
    log = TopicLog(points={FURNACE: (point(setpoint=setpoint(logit_on=9.0)),)})
    assert len(first_alarm(log, point_record(point(setpoint=HASTY)))) == 1


def test_a_set_point_that_changed_is_said_with_who_why_old_and_new():
    pipeline = TopicLog().take_over()
    change = PointChange(by="li", why="new lining", at=datetime(2026, 11, 29, tzinfo=UTC))
    said = point(setpoint=HASTY, setpoint_basis="backtest 5f0c", change=change)
    with capture_logs() as lines:
        for offset, made in enumerate([said, said, point(setpoint=HASTY, title="Hot")]):
            pipeline.handle_record(point_record(made, offset), NOW_NS)
        taken_back = replace(point_record(point(), 3), value=None, headers=())
        pipeline.handle_record(taken_back, NOW_NS)

    changed, back = [line for line in lines if line["event"] == "setpoint_changed"]
    assert (changed["by"], changed["why"], changed["basis"]) == (
        *("li", "new lining"),
        "backtest 5f0c",
    )
    assert (changed["old"]["logit_on"], changed["new"]["logit_on"]) == (2.0, 1.0)
    assert (back["by"], back["new"]["logit_on"]) == (None, 2.0)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (who_and_why_headers("wang", "trial is over"), ("wang", "trial is over")),
        ([("change.by", b"\xff"), ("change.why", None)], (None, None)),
        ([("change.by", b"a\x1b[2J")], (r"a\x1b[2J", None)),
    ],
)
def test_who_takes_a_point_back_is_said_as_the_tombstone_says_it(headers, said):
    pipeline = TopicLog().take_over()
    pipeline.handle_record(point_record(point(setpoint=HASTY)), NOW_NS)
    tombstone = replace(point_record(point(), 1), value=None, headers=tuple(headers))
    with capture_logs() as lines:
        pipeline.handle_record(tombstone, NOW_NS)
    (back,) = [line for line in lines if line["event"] == "setpoint_changed"]
    assert (back["by"], back["why"]) == said


def test_a_further_point_stands_beside_the_others():
    further = point(alarm_id=f"{FURNACE}/WARM", condition="WARM", setpoint=HASTY)
    log = TopicLog()
    pipeline = log.take_over()
    log.write(pipeline.handle_record(point_record(further, key=further.alarm_id), NOW_NS), pipeline)
    written = []
    for offset in range(4):
        written += pipeline.handle_record(score_record(score(offset, 3.0), offset), NOW_NS)
    log.write(written, pipeline)
    assert {record.alarm_id for record in log.alarms()} == {ALARM_ID, further.alarm_id}


def test_a_tombstone_takes_an_override_back():
    tombstone = replace(point_record(point(), 1), value=None, headers=())
    assert first_alarm(TopicLog(), point_record(point(setpoint=HASTY)), tombstone) == []


def test_a_successor_starts_with_the_points_of_the_topic():
    pipeline = TopicLog().take_over()
    pipeline.restore_point(point_record(point(setpoint=HASTY)))
    pipeline.restore_point(replace(point_record(point()), value=b"{"))
    assert len(pipeline.handle_record(score_record(score(0, 1.5), 0), NOW_NS)) == 1


INCOMPLETE = b'{"alarm_id": "a/b/X"}'
GOOD = point_record(point())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(GOOD, value=b"{"), b"malformed"),
        (replace(GOOD, value=INCOMPLETE), b"malformed"),
        (replace(GOOD, headers=()), b"unknown_schema"),
        (replace(GOOD, key=b"a/b/OTHER"), b"contract_violation"),
        (replace(GOOD, key=b"\xff", value=None), b"contract_violation"),
        (point_record(point(condition="OTHER")), b"contract_violation"),
        (point_record(point(equipment_path="a/b")), b"contract_violation"),
        (point_record(point(setpoint=setpoint(k=1, n=MAX_VOTES + 1))), b"contract_violation"),
        (point_record(point(masked_by=ALARM_ID)), b"contract_violation"),
        (point_record(point(suppress_when=["asleep"])), b"contract_violation"),
        (point_record(point(class_="system")), b"contract_violation"),
    ],
)
def test_an_invalid_point_is_set_aside_and_the_rest_goes_on(record, reason):
    log = TopicLog()
    first_alarm(log, record)
    (letter,) = log.of(Topic.DEAD_LETTERS)
    assert dict(letter.headers)["dlq.error"] == reason
    assert (letter.key, letter.value) == (record.key, record.value)


def test_an_alarm_whose_point_is_gone_still_answers_to_an_operator():
    further = point(alarm_id=f"{FURNACE}/WARM", condition="WARM", setpoint=HASTY)
    log = TopicLog()
    (raised,) = first_alarm(log, point_record(further, key=further.alarm_id))
    successor = log.take_over()  # which finds no such point in any list
    order = command_fields("ack", raised.event_id, alarm_id=raised.alarm_id)
    log.write(
        successor.handle_record(command_record(order, key=raised.alarm_id), NOW_NS), successor
    )
    assert [record.state for record in log.alarms()] == ["UNACK", "ACKED"]


def test_every_system_alarm_is_known_as_one():
    assert SYSTEM_ALARMS.keys() <= SYSTEM_CONDITIONS
