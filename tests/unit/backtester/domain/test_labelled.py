"""Labels beside a replay: what was right and is found, what was false and comes again."""

from datetime import UTC, datetime, timedelta

from meltwatch_backtester.domain.labelled import held_against
from meltwatch_backtester.domain.span import Span
from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict, ns_from_utc
from meltwatch_schemas.labels import Label

from tests.support.builders import ALARM, FURNACE, alarm_record

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = "a/b/F2"
TRUE, FALSE = AlarmVerdict.TRUE_ALARM, AlarmVerdict.FALSE_ALARM


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


SPAN = Span(ns_from_utc(at(0)), ns_from_utc(at(1000)))


def label(start: float, end: float, verdict: AlarmVerdict = TRUE, furnace: str = FURNACE) -> Label:
    return Label(furnace=furnace, start=at(start), end=at(end), verdict=verdict)


def course(*spans: tuple[float, float | None], alarm_id: str = ALARM) -> list[AlarmRecord]:
    """Return the records of an alarm that stands at these times."""
    records = []
    for begin, end in spans:
        records.append(alarm_record(alarm_id, active=True, raise_time=at(begin)))
        if end is not None:
            cleared = {"active": False, "raise_time": at(begin), "clear_time": at(end)}
            records.append(alarm_record(alarm_id, **cleared))
    return records


def test_each_label_says_when_an_alarm_first_stood_in_it() -> None:
    labels = [label(100, 200), label(300, 400), label(500, 600, FALSE), label(700, 800, FALSE)]
    judged = held_against(labels, course((150, 250), (590, None)), SPAN, ())
    assert [raised for _, raised in judged.rows] == [at(150), None, at(590), at(700)]
    assert judged.counts(TRUE) == (2, 1)
    assert judged.counts(FALSE) == (2, 2), "it stands to the end"
    assert judged.unlabelled == []


def test_an_alarm_that_stood_before_is_found_at_the_beginning_and_one_that_ended_is_not() -> None:
    judged = held_against([label(200, 300)], course((100, 201)), SPAN, ())
    assert [raised for _, raised in judged.rows] == [at(200)]
    judged = held_against([label(200, 300)], course((100, 200)), SPAN, ())
    assert [raised for _, raised in judged.rows] == [None]
    assert judged.unlabelled == [ALARM]


def test_labels_outside_the_replay_and_of_other_furnaces_say_nothing() -> None:
    labels = [label(-100, 0), label(1000, 1100), label(10, 20, furnace=OTHER)]
    assert held_against(labels, [], SPAN, [FURNACE]).rows == []
    (row,) = held_against(labels, course((10, 20)), SPAN, ()).rows
    assert row[1] is None, "another furnace's alarm is no answer"


def test_system_alarms_find_no_fault() -> None:
    records = [record.model_copy(update={"class_": "system"}) for record in course((150, 250))]
    judged = held_against([label(100, 200)], records, SPAN, ())
    assert (judged.counts(TRUE), list(judged.unlabelled)) == ((1, 0), [])


def test_the_document_counts_by_verdict() -> None:
    judged = held_against([label(100, 200)], course((150, 250), (500, 510)), SPAN, ())
    document = judged.document()
    assert document["true_alarm"] == {"labels": 1, "raised": 1}
    assert document["false_alarm"] == {"labels": 0, "raised": 0}
    assert document["raised_without_label"] == 1
    assert document["each"][0]["raised"] == "2026-03-01T00:02:30.000000Z"
