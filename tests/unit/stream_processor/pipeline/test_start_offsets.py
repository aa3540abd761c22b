"""Where reading starts, and what is called unread: moved offsets, deleted records, other topics."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.score import Cut, WindowScore
from meltwatch_schemas.score_topics import GapCause, HistoryGap
from meltwatch_stream_processor.pipeline.start_offsets import Start, gaps_before, start_of
from meltwatch_stream_processor.ports import Committed

from tests.support.builders import window_score

TOPIC = "meltwatch.currents.v1"
NOW, BEFORE = "id-now", "id-before"


def score(last: int | None, topic_id: str | None = NOW) -> WindowScore:
    ids = {} if topic_id is None else {TOPIC: topic_id}
    return window_score(inputs={TOPIC: Cut(0, last, last)}, topic_ids=ids)


async def gap(start: Start, *scores: WindowScore) -> HistoryGap | None:
    async def newest() -> AsyncIterator[WindowScore]:
        for each in scores:
            yield each

    return (await gaps_before({TOPIC: start}, newest())).get(TOPIC)


@dataclass(frozen=True)
class Case:
    """What Kafka holds, what the newest score says, and what follows from both."""

    commit: Committed | None
    there: range
    offset: int
    gap: HistoryGap | None
    last: int | None = 99
    cut_id: str | None = NOW


CASES: Mapping[str, Case] = {
    "plain": Case(Committed(50, topic_id=NOW), range(200), 50, None),
    "first start": Case(None, range(200), 0, None, last=None),
    "first start behind retention": Case(None, range(60, 200), 60, None, last=None),
    "of 0.1": Case(Committed(50, is_ours=False), range(200), 50, None, cut_id=None),
    "of 0.1, with refused records last": Case(
        Committed(150, is_ours=False), range(200), 150, None, cut_id=None
    ),
    "to latest": Case(
        Committed(150, is_ours=False), range(150), 150, HistoryGap(GapCause.MOVED, 50)
    ),
    "to earliest": Case(Committed(0, is_ours=False), range(150), 0, None),
    "a little back": Case(Committed(70, is_ours=False), range(150), 70, None),
    "past the end": Case(Committed(900, is_ours=False), range(150), 0, None),
    "offsets deleted": Case(None, range(150), 0, None),
    "offsets deleted behind retention": Case(
        None, range(120, 150), 120, HistoryGap(GapCause.RETENTION, 20)
    ),
    "retention": Case(
        Committed(50, topic_id=NOW), range(120, 150), 120, HistoryGap(GapCause.RETENTION, 20)
    ),
    "retention of what was used": Case(Committed(50, topic_id=NOW), range(90, 150), 90, None),
    "retention without a score": Case(
        Committed(50, topic_id=NOW), range(90, 150), 90,
        HistoryGap(GapCause.RETENTION, 40), last=None,
    ),
    "made again": Case(
        None, range(10), 0, HistoryGap(GapCause.REPLACED, None), cut_id=BEFORE
    ),
    "made again, longer than before": Case(
        None, range(500), 0, HistoryGap(GapCause.REPLACED, None), cut_id=BEFORE
    ),
    "made again, the commit is still there": Case(
        Committed(50, topic_id=BEFORE), range(500), 0,
        HistoryGap(GapCause.REPLACED, None), cut_id=BEFORE,
    ),
    "made again before the upgrade": Case(
        None, range(10), 0, HistoryGap(GapCause.REPLACED, None), cut_id=None
    ),
    "made again, and gone on with": Case(None, range(500), 0, None),
    "the broker lost its end": Case(Committed(50, topic_id=NOW), range(20), 0, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_what_was_never_read_is_told(case: Case) -> None:
    start = start_of(case.commit, case.there, NOW)
    assert start.offset == case.offset
    assert await gap(start, score(case.last, case.cut_id)) == case.gap


async def test_of_several_scores_the_one_that_read_farthest_counts() -> None:
    start = start_of(Committed(150, is_ours=False), range(150), NOW)
    scores = [score(20), score(99), score(40), score(120, BEFORE), score(5_000, BEFORE)]
    assert await gap(start, *scores) == HistoryGap(GapCause.MOVED, 50)


@given(
    commit=st.none() | st.builds(Committed, st.integers(0, 300), st.booleans(), st.just(NOW)),
    oldest=st.integers(0, 100),
    length=st.integers(0, 100),
)
def test_reading_starts_at_something_that_is_there_or_will_be(
    commit: Committed | None, oldest: int, length: int
) -> None:
    there = range(oldest, oldest + length)
    start = start_of(commit, there, NOW)
    assert there.start <= start.offset <= there.stop
    if commit is not None and there.start <= commit.offset <= there.stop:
        assert start.offset == commit.offset
