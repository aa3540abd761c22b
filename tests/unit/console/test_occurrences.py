"""What there is to review: each activation once, with what was found out about it."""

from datetime import timedelta
from typing import Any

import pytest
from meltwatch_console.domain.occurrences import (
    OccurrenceBook,
    ReviewQuestion,
    ReviewScope,
    kept_occurrence,
)
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import ALARM, NOON_NS, alarm_record

NOON = utc_from_ns(NOON_NS)
ALL = ReviewQuestion(ReviewScope.ALL)


@pytest.fixture
def book() -> OccurrenceBook:
    return OccurrenceBook()


def record(occurrence: str, seq: int, alarm_id: str = ALARM, **changes: Any) -> AlarmRecord:
    """Return a record of an occurrence; its name says how many minutes after noon it was raised."""
    at = NOON + timedelta(minutes=int(occurrence[1:]))
    told = {"occurrence_id": occurrence, "raise_time": at, "condition_time": at}
    return alarm_record(alarm_id, seq, **(told | changes))


def judgement(verdict: str, **more: Any) -> dict[str, Any]:
    return {"judgement": {"verdict": verdict, "by": "li", "at": NOON, **more}}


def ids(book: OccurrenceBook, asked: ReviewQuestion = ALL) -> list[str]:
    return [each.occurrence_id for each in book.answer(asked)]


def test_each_activation_stands_once_newest_raise_first(book: OccurrenceBook):
    for seq, occurrence in enumerate(("o1", "o3", "o3", "o2"), 1):
        book.take(record(occurrence, seq))
    assert ids(book) == ["o3", "o2", "o1"]
    newest = {each.occurrence_id: book.is_newest(each) for each in book.answer(ALL)}
    assert newest == {"o3": True, "o2": False, "o1": False}


def test_what_raised_it_stays_as_it_was_and_the_rest_follows_the_alarm(book: OccurrenceBook):
    book.take(record("o1", 1, event_id="a" * 32))
    later = alarm_record().evidence.model_copy(update={"score": -7.0})
    book.take(
        record(
            "o1", 2, evidence=later, active=False, clear_time=NOON + timedelta(minutes=5),
            annunciation_id="b" * 32,
            transition={"from": "UNACK", "to": "RTNUN", "cause": "CLEAR", "comment": "on it"},
        )
    )  # fmt: skip
    (found,) = book.answer(ALL)
    assert (found.score, found.threshold, found.threshold_off) == (3.1, 2.0, 0.0)
    assert found.raised_ms == NOON_NS // 1_000_000 + 60_000
    assert found.cleared_ms == NOON_NS // 1_000_000 + 300_000
    assert (found.comment, found.token) == ("on it", "b" * 32)


@pytest.mark.parametrize("score", [None, 4.0], ids=["ours", "a stranger's"])
@pytest.mark.parametrize("by", ["imbalance", "novelty"])
def test_where_no_score_is_judged_there_is_no_threshold_on_it(
    book: OccurrenceBook, by: str, score: float | None
):
    """The page shows both or none, whatever a foreign record says."""
    levels = {f"{by}_on": 3.0, f"{by}_off": 2.0, "score": score}
    evidence = alarm_record().evidence.model_copy(update=levels)
    book.take(record("o1", 1, evidence=evidence))
    (found,) = book.answer(ALL)
    assert found.score is found.threshold is found.threshold_off is None
    assert kept_occurrence(found.to_json()) == found


@pytest.mark.parametrize(
    "changes",
    [{"class": "system"}, {"run_id": "bt-1"}, {"raise_time": None}],
)
def test_what_is_nothing_to_review_is_left_out(book: OccurrenceBook, changes: dict[str, Any]):
    book.take(record("o1", 1, **changes))
    book.take(record("o1", 2, "selftest/x/F-1/OVERHEAT"))
    assert ids(book) == []


def test_a_judgement_is_of_the_occurrence_that_it_names(book: OccurrenceBook):
    book.take(record("o1", 1))
    book.take(record("o2", 2))
    span = {"from": NOON, "to": NOON + timedelta(minutes=1)}
    book.take(record("o2", 3, **judgement("false_alarm", cause="splash")))
    book.take(record("o2", 4, **judgement("true_alarm", earlier=span | {"occurrence_id": "o1"})))
    book.take(record("o2", 5, **judgement("true_alarm", missed=span)))
    found = {each.occurrence_id: each.verdict for each in book.answer(ALL)}
    assert found["o2"] is not None
    assert (found["o2"].word, found["o2"].cause, found["o2"].by) == ("false_alarm", "splash", "li")
    assert found["o1"] is not None
    assert found["o1"].word == "true_alarm"


def test_a_question_narrows_what_is_listed(book: OccurrenceBook):
    book.take(record("o1", 1, "p/a/F-1/OVERHEAT", priority="low"))
    book.take(record("o2", 2, "p/b/F-10/OVERHEAT", **judgement("unclear")))
    noon_ms = NOON_NS // 1_000_000
    for asked, wanted in (
        (ReviewQuestion(), ["o1"]),
        (ReviewQuestion(ReviewScope.YES), ["o2"]),
        (ReviewQuestion(ReviewScope.ALL, area="b"), ["o2"]),
        (ReviewQuestion(ReviewScope.ALL, furnace="p/a"), ["o1"]),
        (ReviewQuestion(ReviewScope.ALL, furnace="p/b/F-1"), []),
        (ReviewQuestion(ReviewScope.ALL, by="li"), ["o2"]),
        (ReviewQuestion(ReviewScope.ALL, by="wu"), []),
        (ReviewQuestion(ReviewScope.ALL, since_ms=noon_ms + 120_000), ["o2"]),
        (ReviewQuestion(ReviewScope.ALL, until_ms=noon_ms + 120_000), ["o1"]),
    ):
        assert ids(book, asked) == wanted, asked


def test_the_oldest_leave_where_there_are_too_many():
    book = OccurrenceBook(10)
    for number in range(30):
        book.take(record(f"o{number}", number))
    found = ids(book)
    assert 10 <= len(found) <= 11
    assert found[0] == "o29"


def test_what_was_kept_comes_back_and_the_topic_counts_more(book: OccurrenceBook):
    book.take(record("o1", 1, **judgement("unclear")))
    (found,) = book.answer(ALL)
    back = kept_occurrence(found.to_json())
    assert back == found

    other = OccurrenceBook()
    other.take(record("o1", 1, title="newer"))
    other.recall(found)
    assert other.answer(ALL)[0].title == "newer"
    assert other.answer(ALL)[0].verdict is None
    assert kept_occurrence(b"{}") is None
    assert kept_occurrence(b"\xff") is None


def test_a_record_that_comes_while_somebody_asks_spoils_no_answer():
    book = OccurrenceBook()
    book.take(alarm_record())

    class Asked(ReviewQuestion):
        def covers(self, each):
            book.take(alarm_record(occurrence_id=f"{each.occurrence_id}+"))
            return True

    assert len(book.answer(Asked())) == 1
