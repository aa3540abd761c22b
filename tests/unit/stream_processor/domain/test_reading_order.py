"""Rule 5: the merge of a partition pair, against a plain description of who may go when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.score import Modality
from meltwatch_stream_processor.domain.reading_order import (
    EndQuestion,
    Entry,
    Gap,
    QueueLimits,
    ReadingOrder,
)
from meltwatch_stream_processor.errors import OutOfSequence

from tests.unit.stream_processor.domain.sequences import examples

VIDEO, CURRENT = Modality.VIDEO, Modality.CURRENT


def entry(modality: Modality, offset: int, last_event_ns: int | None, size: int = 1) -> Entry[str]:
    return Entry(modality, offset, last_event_ns, size, f"{modality}{offset}")


def pop_all(order: ReadingOrder[str]) -> list[tuple[Modality, int]]:
    popped = []
    while (ready := order.pop()) is not None:
        popped.append((ready.modality, ready.offset))
    return popped


def read_to_end(order: ReadingOrder[str], ends: dict[Modality, int]) -> list[tuple[Modality, int]]:
    """Pop everything, answering each question from the given end offsets."""
    popped = pop_all(order)
    while (question := order.question()) is not None:
        order.answer(question, ends[question.modality])
        more = pop_all(order)
        if not more:
            break
        popped += more
    return popped


def test_a_record_waits_while_the_other_partition_may_hold_an_earlier_one():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    assert order.pop() is None
    assert order.question() == EndQuestion(CURRENT, 1)


def test_the_earlier_head_goes_first_and_embeddings_win_ties():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(CURRENT, 0, 100))
    order.push(entry(VIDEO, 0, 100))
    order.push(entry(CURRENT, 1, 90))
    order.push(entry(VIDEO, 1, 101))
    # Current 1 is earlier than current 0: it follows right behind it, before video 1.
    assert pop_all(order) == [(VIDEO, 0), (CURRENT, 0), (CURRENT, 1)]


def test_a_straggler_follows_right_behind_without_waiting():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    assert read_to_end(order, {CURRENT: 0}) == [(VIDEO, 0)]
    order.push(entry(CURRENT, 0, 80))
    order.push(entry(VIDEO, 1, 90))
    assert pop_all(order) == [(VIDEO, 1)]
    assert order.question() == EndQuestion(VIDEO, 3)


def test_an_end_offset_asked_before_the_record_came_does_not_release_it():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    question = order.question()
    assert question is not None
    order.push(entry(VIDEO, 1, 200))
    order.answer(question, 0)
    assert pop_all(order) == [(VIDEO, 0)]
    assert order.question() == EndQuestion(CURRENT, 2)


def test_an_end_offset_releases_only_once_it_is_reached():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.push(entry(VIDEO, 0, 100))
    question = order.question()
    assert question is not None
    order.answer(question, 5)
    assert order.pop() is None
    assert order.question() is None, "the answer is known, reading has to get there"
    order.push(entry(CURRENT, 3, 50))
    assert pop_all(order) == [(CURRENT, 3)]
    assert order.position(CURRENT) == 4
    order.push(entry(CURRENT, 4, 60))
    assert order.position(CURRENT) == 5
    assert pop_all(order) == [(CURRENT, 4), (VIDEO, 0)]


def test_nothing_goes_ahead_of_a_gap_before_the_first_record():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 7, 100))
    order.starts_at(VIDEO, 5)
    order.push(entry(CURRENT, 0, 50))
    gap = order.gap()
    assert gap == Gap(VIDEO, range(5, 7))
    assert order.pop() is None
    order.fill(gap, [entry(VIDEO, 5, 40)])
    assert order.gap() is None
    assert pop_all(order) == [(VIDEO, 5), (CURRENT, 0)]
    order.push(entry(VIDEO, 9, 110))
    assert order.gap() is None, "between records Kafka keeps markers"


def test_an_end_that_is_not_reached_for_long_is_a_gap():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.push(entry(VIDEO, 0, 100))
    question = order.question()
    assert question is not None
    order.answer(question, 5)
    assert order.gap() is None
    order.overdue(CURRENT, 2, 5)
    assert order.gap() is None, "reading gets on"
    order.overdue(CURRENT, 3, 5)
    gap = order.gap()
    assert gap == Gap(CURRENT, range(3, 5))
    order.fill(gap, [])
    assert pop_all(order) == [(VIDEO, 0)], "a marker of a transaction was all there is"


@pytest.mark.parametrize("first", [10, None])
def test_a_long_gap_is_filled_in_pieces_that_are_handed_on_one_by_one(first):
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=4))
    order.starts_at(CURRENT, 0)
    order.overdue(CURRENT, 0, 10)
    ends = {VIDEO: 0, CURRENT: 10}
    if first is not None:
        order.push(entry(CURRENT, first, first))
    pieces = []
    while (gap := order.gap()) is not None:
        order.fill(gap, [entry(CURRENT, offset, offset) for offset in gap.offsets])
        pieces.append((gap.offsets, read_to_end(order, ends)[: len(gap.offsets)]))
    assert [offsets for offsets, _ in pieces] == [range(4), range(4, 8), range(8, 10)]
    for offsets, popped in pieces:
        assert popped == [(CURRENT, offset) for offset in offsets]
    assert order.position(CURRENT) == (10 if first is None else 11)


def test_what_comes_while_a_gap_is_filled_ends_it():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.overdue(CURRENT, 3, 6)
    gap = order.gap()
    assert gap is not None
    order.push(entry(CURRENT, 4, 20))
    order.fill(gap, [entry(CURRENT, offset, 10 * offset) for offset in (3, 4, 5)])
    for offset in (3, 5):
        order.push(entry(CURRENT, offset, 10 * offset))
    order.push(entry(VIDEO, 0, 100))
    assert read_to_end(order, {CURRENT: 6, VIDEO: 1}) == [
        *((CURRENT, offset) for offset in (3, 4, 5)),
        (VIDEO, 0),
    ]


def test_a_refused_record_neither_waits_nor_holds_back():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 0, None))
    order.push(entry(VIDEO, 1, 100))
    assert pop_all(order) == [(VIDEO, 0)]
    order.push(entry(CURRENT, 0, None))
    order.push(entry(CURRENT, 1, 100))
    assert pop_all(order) == [(CURRENT, 0), (VIDEO, 1)]


def test_the_topic_that_is_ahead_is_paused_until_half_of_its_limit_is_handed_on():
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=4, size_bytes=1000))
    for offset in range(5):
        order.push(entry(VIDEO, offset, 100 + offset))
    assert order.ahead == {VIDEO}
    order.push(entry(CURRENT, 0, 101))
    assert pop_all(order) == [(VIDEO, 0), (VIDEO, 1), (CURRENT, 0)]
    assert order.ahead == {VIDEO}
    order.push(entry(CURRENT, 1, 102))
    pop_all(order)
    assert order.ahead == frozenset()


def test_bytes_count_towards_the_limit_as_well():
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=100, size_bytes=1000))
    order.push(entry(CURRENT, 0, 100, size=1001))
    assert order.ahead == {CURRENT}
    assert order.size_bytes == 1001


def test_an_offset_below_the_position_is_a_defect():
    order: ReadingOrder[str] = ReadingOrder({VIDEO: 5})
    with pytest.raises(OutOfSequence, match="at least 5, got 4"):
        order.push(entry(VIDEO, 4, 100))


def test_the_last_record_may_come_twice_and_no_other():
    order: ReadingOrder[str] = ReadingOrder({})
    for offset in (0, 1, 1):
        order.push(entry(VIDEO, offset, 100))
    assert order.size_bytes == 2
    with pytest.raises(OutOfSequence, match="at least 2, got 0"):
        order.push(entry(VIDEO, 0, 100))


EVENT_TIMES = st.lists(st.integers(0, 30) | st.none(), max_size=20)


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.randoms(use_true_random=False))
def test_any_arrival_of_two_full_partitions_gives_one_order(video, current, chance):
    """Catching up: everything is there, and only how fetches interleave is chance."""
    ends = {VIDEO: len(video), CURRENT: len(current)}
    order: ReadingOrder[str] = ReadingOrder({})
    queues = {VIDEO: list(enumerate(video)), CURRENT: list(enumerate(current))}
    popped = []
    while any(queues.values()):
        modality = chance.choice([modality for modality, queue in queues.items() if queue])
        for _ in range(min(chance.randint(1, 5), len(queues[modality]))):
            offset, time_ns = queues[modality].pop(0)
            order.push(entry(modality, offset, time_ns))
        if chance.random() < 0.7:
            popped += read_to_end(order, ends)
    popped += read_to_end(order, ends)
    merged = [
        which for which in popped if (video, current)[which[0] is CURRENT][which[1]] is not None
    ]
    assert merged == merged_by_sorting(video, current)
    assert sorted(popped) == sorted(
        [(VIDEO, offset) for offset in range(len(video))]
        + [(CURRENT, offset) for offset in range(len(current))]
    )


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.randoms(use_true_random=False))
def test_a_consumer_that_drops_and_repeats_changes_nothing(video, current, chance):
    """It loses the beginning, or everything; it repeats records; it brings some after all."""
    logs = {VIDEO: video, CURRENT: current}
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=chance.randint(1, 20)))
    for modality in Modality:
        order.starts_at(modality, 0)
    dropped = {m: chance.randint(0, len(log)) for m, log in logs.items()}
    coming = {m: list(range(dropped[m], len(log))) for m, log in logs.items()}
    popped = []
    while any(coming.values()):
        modality = chance.choice([m for m, offsets in coming.items() if offsets])
        offset = coming[modality].pop(0)
        for _ in range(chance.choice((1, 1, 2))):
            order.push(entry(modality, offset, logs[modality][offset]))
        if chance.random() < 0.2:
            behind = chance.choice(list(logs))
            order.overdue(behind, order.position(behind), chance.randint(0, len(logs[behind])))
        if chance.random() < 0.5:
            popped += read_and_fill(order, logs)
    for modality, log in logs.items():
        order.overdue(modality, order.position(modality), len(log))
    popped += read_and_fill(order, logs)
    merged = [(m, offset) for m, offset in popped if logs[m][offset] is not None]
    assert merged == merged_by_sorting(video, current)
    assert sorted(popped) == sorted((m, o) for m, log in logs.items() for o in range(len(log)))


def read_and_fill(
    order: ReadingOrder[str], logs: dict[Modality, list[int | None]]
) -> list[tuple[Modality, int]]:
    """Pop everything, filling each gap from the logs."""
    ends = {modality: len(log) for modality, log in logs.items()}
    popped = read_to_end(order, ends)
    while (gap := order.gap()) is not None:
        log = logs[gap.modality]
        order.fill(gap, [entry(gap.modality, offset, log[offset]) for offset in gap.offsets])
        popped += read_to_end(order, ends)
    return popped


ASCENDING = st.lists(st.integers(0, 30), max_size=20).map(sorted)


@examples(100)
@given(ASCENDING, ASCENDING, st.integers(0, 20), st.integers(0, 20))
def test_reading_again_from_any_positions_keeps_the_order(video, current, first, second):
    """Where no partition holds a straggler: what restoring after a crash rests on."""
    positions = {VIDEO: min(first, len(video)), CURRENT: min(second, len(current))}
    order: ReadingOrder[str] = ReadingOrder(positions)
    for modality, times in ((CURRENT, current), (VIDEO, video)):
        for offset in range(positions[modality], len(times)):
            order.push(entry(modality, offset, times[offset]))
    again = read_to_end(order, {VIDEO: len(video), CURRENT: len(current)})
    whole = merged_by_sorting(video, current)
    assert again == [
        (modality, offset) for modality, offset in whole if offset >= positions[modality]
    ]


def merged_by_sorting(
    video: list[int | None], current: list[int | None]
) -> list[tuple[Modality, int]]:
    """Sort by the newest event time so far of the own partition, embeddings first."""
    keyed = []
    for modality, times in ((VIDEO, video), (CURRENT, current)):
        newest = -1
        for offset, time_ns in enumerate(times):
            if time_ns is not None:
                newest = max(newest, time_ns)
                keyed.append((newest, modality is CURRENT, offset, modality))
    return [(modality, offset) for _, _, offset, modality in sorted(keyed)]
