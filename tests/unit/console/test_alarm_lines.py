"""Key figures of the alarms that the console has heard of: a month at most, and from when on."""

from datetime import UTC, timedelta
from typing import Any

from meltwatch_console.domain.alarm_lines import AlarmFigures, AlarmLines
from meltwatch_console.domain.occurrences import OccurrenceBook, ReviewQuestion, ReviewScope
from meltwatch_core.alarms.kpi.load import DAY_NS
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import ALARM, NOON_NS, alarm_record

NOON = utc_from_ns(NOON_NS)
TIMES = ("event", "watermark", "ingest", "scored", "published")


def at(days: float, seq: int, alarm_id: str = ALARM, **changes: Any) -> AlarmRecord:
    """Return the record of a raise so many days before noon."""
    time = NOON - timedelta(days=days)
    told = {"raise_time": time, "times": dict.fromkeys(TIMES, time), "occurrence_id": f"o{seq}"}
    return alarm_record(alarm_id, seq, **(told | changes))


def figures(lines: AlarmLines, book: OccurrenceBook | None = None) -> AlarmFigures:
    judged = book.answer(ReviewQuestion(ReviewScope.YES)) if book else []
    found = lines.figures(NOON_NS, UTC, judged)
    assert found is not None
    return found


def value(found: AlarmFigures, key: str) -> float | None:
    (figure,) = (each for each in found.figures if each.key == key)
    return figure.value


def test_without_an_alarm_there_is_no_figure():
    assert AlarmLines(NOON_NS).figures(NOON_NS, UTC, []) is None


def test_announcements_are_counted_from_the_first_that_is_known():
    lines = AlarmLines(NOON_NS)
    for seq, days in enumerate((4.0, 2.0, 1.0), 1):
        lines.take(at(days, seq))
    found = figures(lines)
    assert found.since_ns == NOON_NS - 4 * DAY_NS
    assert value(found, "annunciations") == 3
    assert value(found, "per_day") == 3 / 4
    assert found.top == [(ALARM, 3)]


def test_less_than_a_day_is_held_against_no_target():
    for days, grades in ((0.5, {"none"}), (1.5, {"none", "good", "bad"})):
        lines = AlarmLines(NOON_NS)
        for seq in range(5):
            lines.take(at(days, seq))
        assert {each.grade.value for each in figures(lines).figures} >= grades
        assert ("bad" in {each.grade.value for each in figures(lines).figures}) == (days > 1)


def test_what_is_older_than_kafka_keeps_whole_does_not_stretch_the_time():
    lines = AlarmLines(NOON_NS)
    lines.take(at(90.0, 1, "a/b/F-9/OVERHEAT"))
    lines.take(at(2.0, 2))
    found = figures(lines)
    assert found.since_ns == NOON_NS - 2 * DAY_NS
    assert value(found, "annunciations") == 1
    assert value(found, "standing") == 2, "it stands since long ago, and is known to"


def test_a_month_is_looked_back_at_most():
    lines = AlarmLines(NOON_NS - 60 * DAY_NS)
    for seq, days in enumerate((40.0, 3.0), 1):
        lines.take(at(days, seq))
    found = figures(lines)
    assert found.since_ns == NOON_NS - 30 * DAY_NS
    assert value(found, "annunciations") == 1


def test_where_there_are_too_many_lines_the_time_begins_later():
    lines = AlarmLines(NOON_NS, most=2)
    for seq, days in enumerate((4.0, 2.0, 1.0), 1):
        lines.take(at(days, seq, f"a/b/F-{seq}/OVERHEAT"))
    found = figures(lines)
    assert found.since_ns == NOON_NS - 2 * DAY_NS
    assert value(found, "standing") == 3, "how the first one ended is known still"


def test_a_replay_counts_nothing_and_what_is_gone_for_ever_does_not_stand():
    lines = AlarmLines(NOON_NS)
    lines.take(at(1.0, 1, run_id="bt-1"))
    assert lines.figures(NOON_NS, UTC, []) is None
    lines.take(at(1.0, 2))
    lines.end(ALARM, NOON_NS - DAY_NS // 2)
    lines.end("a/b/F-9/NEVER", NOON_NS)
    assert value(figures(lines), "standing") == 0


def test_the_share_that_people_found_false_is_said_and_nothing_that_nobody_counted():
    lines, book = AlarmLines(NOON_NS), OccurrenceBook()
    for seq, verdict in enumerate(("false_alarm", "true_alarm", "unclear", "false_alarm"), 1):
        judgement = {"verdict": verdict, "by": "li", "at": NOON}
        record = at(1.0, seq, judgement=judgement)
        lines.take(record)
        book.take(record)
    found = figures(lines, book)
    assert value(found, "judged_false") == 50
    assert value(figures(lines), "judged_false") is None
    keys = {each.key for each in found.figures}
    assert {"denied", "unapproved"}.isdisjoint(keys), "nobody has counted them here"
    assert {"per_10_min", "per_day", "chattering", "stale", "top_ten"} <= keys


def test_what_is_read_again_is_counted_once_and_what_was_missed_meanwhile_is_not_whole():
    lines = AlarmLines(NOON_NS - 20 * DAY_NS)
    for seq, days in enumerate((20.0, 3.0), 1):
        lines.take(at(days, seq))
    assert figures(lines).since_ns == NOON_NS - 20 * DAY_NS
    lines.note_gap(NOON_NS)
    lines.take(at(3.0, 2))
    lines.end(ALARM, NOON_NS - DAY_NS)
    lines.end(ALARM, NOON_NS)
    found = figures(lines)
    assert found.since_ns == NOON_NS - 3 * DAY_NS
    assert value(found, "annunciations") == 1


def test_only_the_newest_of_an_alarm_is_held_of_what_no_figure_looks_at():
    lines = AlarmLines(NOON_NS - 90 * DAY_NS)
    for seq, days in enumerate((60.0, 50.0, 40.0, 3.0), 1):
        lines.take(at(days, seq))
    assert [line.occurrence_id for line in lines.held(NOON_NS)] == ["o3", "o4"]


def test_no_rate_is_told_of_less_time_than_it_is_meant_for():
    lines = AlarmLines(NOON_NS)
    lines.take(at(2 / 24, 1))
    found = figures(lines)
    assert (value(found, "per_day"), value(found, "per_hour")) == (None, 0.5)
