"""Judgements become stretches of time, each occurrence once."""

from datetime import timedelta
from typing import Any

from meltwatch_schemas.alarm import (
    AlarmJudgement,
    AlarmRecord,
    AlarmVerdict,
    EarlierOccurrence,
    MissedSpan,
)
from meltwatch_schemas.labels import labels_of

from tests.support.timed_records import NOON, alarm_record

LATER = NOON + timedelta(hours=2)


def judged(
    verdict: str, seq: int = 2, missed: MissedSpan | None = None, **changes: Any
) -> AlarmRecord:
    judgement = AlarmJudgement(
        verdict=AlarmVerdict(verdict), cause="arc", by="li.wei", at=NOON, missed=missed
    )
    made = alarm_record("a/F1/OVERHEAT", seq=seq)
    return made.model_copy(update={"judgement": judgement} | changes)


def test_what_nobody_judged_is_no_label() -> None:
    assert labels_of([alarm_record()], LATER) == []


def test_an_occurrence_lasts_from_its_condition_to_its_clear_whenever_it_was_judged() -> None:
    cleared = NOON + timedelta(minutes=3)
    early = judged("unclear")
    late = judged("unclear", seq=3, active=False, clear_time=cleared)
    for records in ([early, late], [late, early]):
        (label,) = labels_of(records, LATER)
        assert (label.furnace, label.source) == ("a/F1", "a/F1/OVERHEAT")
        assert (label.start, label.end) == (late.condition_time, cleared)
        assert (label.verdict, label.cause, label.by) == ("unclear", "arc", "li.wei")


def test_what_still_lasts_ends_now_and_the_newest_verdict_counts() -> None:
    (label,) = labels_of([judged("false_alarm"), judged("true_alarm", seq=3)], LATER)
    assert (label.end, label.verdict) == (LATER, "true_alarm")


def test_what_was_missed_has_its_own_stretch_beside_that_of_the_occurrence() -> None:
    missed = MissedSpan(from_=NOON - timedelta(days=1), to=NOON - timedelta(hours=23))
    first, second = labels_of(
        [judged("false_alarm"), judged("true_alarm", seq=3, missed=missed)], LATER
    )
    assert (first.start, first.end, first.occurrence_id) == (missed.from_, missed.to, "")
    assert second.verdict == "false_alarm"


def test_an_earlier_occurrence_has_its_own_stretch_beside_that_of_the_newest() -> None:
    earlier = EarlierOccurrence(
        occurrence_id="first", from_=NOON - timedelta(days=1), to=NOON - timedelta(hours=23)
    )
    late = judged("true_alarm", seq=3)
    assert late.judgement is not None
    judgement = late.judgement.model_copy(update={"earlier": earlier})
    first, second = labels_of(
        [judged("false_alarm"), late.model_copy(update={"judgement": judgement})], LATER
    )
    assert (first.start, first.end, first.occurrence_id) == (earlier.from_, earlier.to, "first")
    assert (first.verdict, second.verdict) == ("true_alarm", "false_alarm")
    assert second.occurrence_id == late.occurrence_id


def test_clocks_that_disagree_give_no_stretch_that_ends_before_it_begins() -> None:
    before = NOON - timedelta(hours=1)
    assert labels_of([judged("unclear", active=False, clear_time=before)], LATER) == []
