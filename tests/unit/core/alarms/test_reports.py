"""Alarms of the plant that somebody in the manager reports: raised at once, gone after a while."""

from collections.abc import Mapping

import pytest
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.system_alarms import FOREIGN_WRITER, HISTORY_GAP, PLANT_ALARMS
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.score import Cut
from meltwatch_schemas.score_topics import GapCause, HistoryGap
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import (
    PREFIX,
    command_fields,
    command_record,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog

NAME = f"{PREFIX}/{FOREIGN_WRITER}"
FRAMES = "meltwatch.embeddings.v1"
SAMPLES = "meltwatch.currents.v1"
CUTS = {FRAMES: Cut(3, 100, 110), SAMPLES: Cut(3, 200, 320)}


def after(seconds: float) -> int:
    return NOW_NS + round(seconds * NS_PER_S)


@pytest.mark.parametrize(
    ("condition", "priority"), [(FOREIGN_WRITER, Priority.HIGH), (HISTORY_GAP, Priority.LOW)]
)
def test_a_report_raises_the_alarm_of_the_plant(condition: str, priority: Priority) -> None:
    log = TopicLog()
    pipeline = log.take_over()
    pipeline.report(condition, "alarms offset 7: \x1b[2Jwritten by nobody we know")
    log.write(pipeline.tick(NOW_NS, None), pipeline)
    (record,) = log.alarms()
    assert record.alarm_id == f"{PREFIX}/{condition}"
    assert (record.state, record.priority, record.transition.cause) == ("UNACK", priority, "CLOCK")
    assert r"\x1b[2Jwritten by nobody" in record.message
    assert (record.equipment_path, record.class_, record.unregistered) == (PREFIX, "system", False)


def test_reports_that_go_on_are_one_occurrence_and_it_ends_when_they_do() -> None:
    off_s = PLANT_ALARMS[FOREIGN_WRITER].off_delay_s
    log = TopicLog()
    pipeline = log.take_over()
    for seconds in (0, off_s - 1, 2 * off_s - 2):
        pipeline.report(FOREIGN_WRITER, "again")
        log.write(pipeline.tick(after(seconds), None), pipeline)
    log.write(pipeline.tick(after(3 * off_s - 3), None), pipeline)
    assert [record.active for record in log.alarms()] == [True]
    log.write(pipeline.tick(after(3 * off_s - 2), None), pipeline)
    raised, cleared = log.alarms()
    assert (cleared.state, cleared.occurrence_id) == ("RTNUN", raised.occurrence_id)


def test_it_is_acknowledged_by_its_id_and_survives_a_manager() -> None:
    log = TopicLog()
    pipeline = log.take_over()
    pipeline.report(FOREIGN_WRITER, "seen")
    log.write(pipeline.tick(NOW_NS, None), pipeline)
    successor = log.take_over()
    order = command_fields("ack", log.alarms()[0].event_id, alarm_id=NAME)
    log.write(successor.handle_record(command_record(order, key=NAME), after(1)), successor)
    successor.report(FOREIGN_WRITER, "seen again")
    log.write(successor.tick(after(2), None), successor)
    assert [record.state for record in log.alarms()] == ["UNACK", "ACKED"]


def test_scores_that_retention_deleted_before_they_were_read_are_told() -> None:
    log = TopicLog()
    pipeline = log.take_over()
    log.write([], pipeline)
    pipeline = log.take_over()
    unread = {
        place: range(commit.offset, commit.offset)
        for place, commit in log.commits.items()
        if commit
    }
    pipeline.begin_reign(log.commits, unread | {SCORES: range(40, 40)})
    log.write(pipeline.tick(NOW_NS, None), pipeline)
    (record,) = log.alarms()
    assert record.alarm_id == f"{PREFIX}/{HISTORY_GAP}"
    assert "scores partition 0: expected offset 0, got 40" in record.message


def gaps_told(log: TopicLog, pipeline: AlarmPipeline, *gaps: Mapping[str, HistoryGap]) -> list[str]:
    """What the manager says of scores behind gaps."""
    for number, gap in enumerate(gaps):
        behind = score(number, -3.0, inputs=CUTS, gaps=gap)
        log.write(pipeline.handle_record(score_record(behind, number), NOW_NS), pipeline)
    log.write(pipeline.tick(NOW_NS, None), pipeline)
    return [r.message for r in log.alarms() if r.alarm_id == f"{PREFIX}/{HISTORY_GAP}"]


def test_what_a_stream_processor_never_read_is_told_with_how_much() -> None:
    log = TopicLog()
    gaps = {FRAMES: HistoryGap(GapCause.MOVED, 1234), SAMPLES: HistoryGap(GapCause.REPLACED, None)}
    (message,) = gaps_told(log, log.take_over(), gaps)
    assert f"{FRAMES} partition 3: 1234 records were passed over unread" in message
    assert f"{SAMPLES} partition 3: the topic was made again" in message


def test_of_many_gaps_the_alarm_names_the_first_and_how_many_more() -> None:
    log = TopicLog()
    (message,) = gaps_told(
        log, log.take_over(), *({SAMPLES: HistoryGap(GapCause.RETENTION, 7)} for _ in range(9))
    )
    assert "7 records were deleted before they were read" in message
    assert message.count("partition 3") + int(message.split("and ")[1].split(" more")[0]) == 9


def test_a_cause_of_a_later_version_is_told_as_it_is() -> None:
    log = TopicLog()
    (message,) = gaps_told(log, log.take_over(), {SAMPLES: HistoryGap("moon", 5)})
    assert "5 records were never read (moon)" in message
