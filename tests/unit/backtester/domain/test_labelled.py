"""Labels beside a replay: what was right and is found, what was false and comes again."""

from datetime import UTC, datetime, timedelta

from meltwatch_backtester.domain.labelled import (
    Journals,
    LabelledAlarms,
    held_against,
    share_bounds,
)
from meltwatch_backtester.domain.span import Span
from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict, Transition
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.labels import Label
from meltwatch_schemas.raises import answer_of, raised_in

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


def said(judged: LabelledAlarms, verdict: AlarmVerdict) -> tuple[int, int]:
    counts = judged.counts(verdict)
    return counts["labels"], counts["raised"]


def test_each_label_says_when_an_alarm_first_stood_in_it() -> None:
    labels = [label(100, 200), label(300, 400), label(500, 600, FALSE), label(700, 800, FALSE)]
    judged = held_against(labels, Journals(course((150, 250), (590, None)), []), SPAN, ())
    assert [row.raised for row in judged.rows] == [at(150), None, at(590), at(700)]
    assert said(judged, TRUE) == (2, 1)
    assert said(judged, FALSE) == (2, 2), "it stands to the end"
    assert judged.unlabelled == []


def test_an_alarm_that_stood_before_is_found_at_the_beginning_and_one_that_ended_is_not() -> None:
    judged = held_against([label(200, 300)], Journals(course((100, 201)), []), SPAN, ())
    assert [row.raised for row in judged.rows] == [at(200)]
    judged = held_against([label(200, 300)], Journals(course((100, 200)), []), SPAN, ())
    assert [row.raised for row in judged.rows] == [None]
    assert judged.unlabelled == [ALARM]


def test_labels_outside_the_replay_and_of_other_furnaces_say_nothing() -> None:
    labels = [label(-100, 0), label(1000, 1100), label(10, 20, furnace=OTHER)]
    assert held_against(labels, Journals([], []), SPAN, [FURNACE]).rows == []
    (row,) = held_against(labels, Journals(course((10, 20)), []), SPAN, ()).rows
    assert row.raised is None, "another furnace's alarm is no answer"


def test_system_alarms_find_no_fault() -> None:
    records = [record.model_copy(update={"class_": "system"}) for record in course((150, 250))]
    judged = held_against([label(100, 200)], Journals(records, []), SPAN, ())
    assert (said(judged, TRUE), list(judged.unlabelled)) == ((1, 0), [])


def test_the_document_counts_by_verdict() -> None:
    judged = held_against([label(100, 200)], Journals(course((150, 250), (500, 510)), []), SPAN, ())
    document = judged.document()
    nothing = {"labels": 0, "raised": 0, "raised_live": 0, "kept": 0, "lost": 0}
    assert document["true_alarm"] == nothing | {"labels": 1, "raised": 1}
    assert document["false_alarm"] == nothing
    assert document["raised_without_label"] == 1
    assert document["each"][0]["raised"] == "2026-03-01T00:02:30.000000Z"


def test_what_live_raised_is_kept_or_lost() -> None:
    labels = [label(100, 200), label(300, 400), label(500, 600, FALSE), label(700, 800, FALSE)]
    live = course((110, 190), (310, 390), (510, 590))
    judged = held_against(labels, Journals(course((120, 190), (710, 720)), live), SPAN, ())
    assert judged.counts(TRUE) == {
        "labels": 2, "raised": 1, "raised_live": 2, "kept": 1, "lost": 1,
    }  # fmt: skip
    assert judged.counts(FALSE) == {
        "labels": 2, "raised": 1, "raised_live": 1, "kept": 0, "lost": 1,
    }  # fmt: skip
    assert judged.document()["each"][1]["raised_live"] == "2026-03-01T00:05:10.000000Z"


def test_events_are_found_or_missed_with_bounds_and_lead_time() -> None:
    labels = [label(100, 200), label(300, 400), label(500, 600, FALSE)]
    judged = held_against(labels, Journals(course((112.5, 250)), []), SPAN, ())
    assert judged.document()["events"] == {
        "found": 1, "missed": 1, "share_low": 0.095, "share_high": 0.905,
        "median_after_s": 12.5, "median_lead_s": 87.5,
    }  # fmt: skip
    alone = held_against(labels[2:], Journals([], []), SPAN, ())
    assert alone.document()["events"] is None, "a false alarm is no event"


def test_bounds_of_a_share_are_those_of_wilson() -> None:
    assert share_bounds(3, 3) == (0.439, 1.0)
    assert share_bounds(0, 10) == (0.0, 0.278)
    assert share_bounds(81, 263) == (0.255, 0.366), "Newcombe 1998, table I"


def test_an_occasion_says_what_was_judged_of_it() -> None:
    live, ours = course((110, 190), (510, 590)), course((115, 190), (800, 810))
    raising = [
        [r.model_copy(update={"transition": raised(r)}) for r in each] for each in (live, ours)
    ]
    judged = held_against([label(100, 200), label(500, 600, FALSE)], Journals(ours, live), SPAN, ())
    answer = judged.judged(answer_of(*map(raised_in, raising)))
    assert [each.verdict for each in answer.occasions] == [TRUE, FALSE, None]


def raised(record: AlarmRecord) -> Transition:
    cause = "RAISE" if record.active else "CLEAR"
    return record.transition.model_copy(update={"cause": cause})
