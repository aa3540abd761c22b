"""Rule 5: the merge of a partition pair, against a plain description of who may go when."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.merge import Entry, Gap, QueueLimits, ReadingOrder
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.join.sequences import examples

VIDEO, CURRENT = Modality.VIDEO, Modality.CURRENT
LONG_NS = 5 * NS_PER_S
"""What has not come for so long was passed over."""
Popped = list[tuple[Modality, int]]


def entry(modality: Modality, offset: int, last_event_ns: int | None, size: int = 1) -> Entry[str]:
    return Entry(modality, offset, last_event_ns, size, f"{modality}{offset}")


def pop_all(order: ReadingOrder[str]) -> Popped:
    popped = []
    while (ready := order.pop()) is not None:
        popped.append((ready.modality, ready.offset))
    return popped


def test_a_record_waits_while_nothing_is_known_of_the_other_partition():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    assert order.pop() is None
    order.told(0, {CURRENT: 0})
    assert pop_all(order) == [(VIDEO, 0)]


def test_the_earlier_head_goes_first_and_embeddings_win_ties():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(CURRENT, 0, 100))
    order.push(entry(VIDEO, 0, 100))
    order.push(entry(CURRENT, 1, 90))
    order.push(entry(VIDEO, 1, 101))
    # Current 1 is earlier than current 0: it follows right behind it, before video 1.
    assert pop_all(order) == [(VIDEO, 0), (CURRENT, 0), (CURRENT, 1)]


def test_an_end_offset_releases_only_once_it_is_reached():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.push(entry(VIDEO, 0, 100))
    order.told(0, {CURRENT: 5})
    assert order.pop() is None
    order.push(entry(CURRENT, 3, 50))
    assert pop_all(order) == [(CURRENT, 3)]
    assert order.position(CURRENT) == 4
    order.push(entry(CURRENT, 4, 60))
    assert order.position(CURRENT) == 5
    assert pop_all(order) == [(CURRENT, 4), (VIDEO, 0)]


def test_an_end_that_was_told_holds_until_the_next_is_told():
    """Live, a record may go ahead of one that comes while it waits: the join does not mind."""
    order: ReadingOrder[str] = ReadingOrder({})
    order.told(0, {VIDEO: 0, CURRENT: 0})
    order.push(entry(VIDEO, 0, 100))
    assert pop_all(order) == [(VIDEO, 0)]
    order.told(1, {VIDEO: 1, CURRENT: 1})
    order.push(entry(VIDEO, 1, 200))
    assert order.pop() is None


def test_nothing_goes_ahead_of_a_gap_before_the_first_record():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(VIDEO, 7, 100))
    order.starts_at(VIDEO, 5)
    order.push(entry(CURRENT, 0, 50))
    order.told(0, {VIDEO: 8, CURRENT: 1})
    gap = order.gap()
    assert gap == Gap(VIDEO, range(5, 7))
    assert order.pop() is None
    order.fill(gap, [entry(VIDEO, 5, 40)])
    assert order.gap() is None
    assert pop_all(order) == [(VIDEO, 5), (CURRENT, 0), (VIDEO, 7)]
    order.push(entry(VIDEO, 9, 110))
    assert order.gap() is None, "between records Kafka keeps markers"


def test_an_end_that_is_not_reached_for_long_is_a_gap():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.push(entry(VIDEO, 0, 100))
    order.told(0, {CURRENT: 5})
    order.told(LONG_NS - 1, {CURRENT: 5})
    assert order.gap() is None
    order.told(LONG_NS, {CURRENT: 5})
    gap = order.gap()
    assert gap == Gap(CURRENT, range(3, 5))
    order.fill(gap, [])
    assert pop_all(order) == [(VIDEO, 0)], "a marker of a transaction was all there is"


def test_a_partition_that_gets_on_or_is_held_back_has_no_gap():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    order.told(0, {CURRENT: 5})
    order.push(entry(CURRENT, 3, 50))
    order.told(LONG_NS, {CURRENT: 5})
    assert order.gap() is None
    order.hold_back(CURRENT)
    order.told(3 * LONG_NS, {CURRENT: 5})
    assert order.gap() is None


@pytest.mark.parametrize("first", [10, None])
def test_a_long_gap_is_filled_in_pieces_that_are_handed_on_one_by_one(first):
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=4))
    order.starts_at(CURRENT, 0)
    for asked_ns in (0, LONG_NS):
        order.told(asked_ns, {VIDEO: 0, CURRENT: 10})
    if first is not None:
        order.push(entry(CURRENT, first, first))
    pieces = []
    while (gap := order.gap()) is not None:
        order.fill(gap, [entry(CURRENT, offset, offset) for offset in gap.offsets])
        pieces.append((gap.offsets, pop_all(order)[: len(gap.offsets)]))
    assert [offsets for offsets, _ in pieces] == [range(4), range(4, 8), range(8, 10)]
    for offsets, popped in pieces:
        assert popped == [(CURRENT, offset) for offset in offsets]
    assert order.position(CURRENT) == (10 if first is None else 11)


def test_what_comes_while_a_gap_is_filled_ends_it():
    order: ReadingOrder[str] = ReadingOrder({CURRENT: 3})
    for asked_ns in (0, LONG_NS):
        order.told(asked_ns, {VIDEO: 0, CURRENT: 6})
    gap = order.gap()
    assert gap == Gap(CURRENT, range(3, 6))
    order.push(entry(CURRENT, 4, 20))
    order.fill(gap, [entry(CURRENT, offset, 10 * offset) for offset in (3, 4, 5)])
    for offset in (3, 5):
        order.push(entry(CURRENT, offset, 10 * offset))
    order.push(entry(VIDEO, 0, 100))
    assert pop_all(order) == [*((CURRENT, offset) for offset in (3, 4, 5)), (VIDEO, 0)]


def test_a_refused_record_follows_right_behind_the_one_before_it():
    order: ReadingOrder[str] = ReadingOrder({})
    for offset, last_event_ns in enumerate((None, 100, None)):
        order.push(entry(VIDEO, offset, last_event_ns))
    order.push(entry(CURRENT, 0, 100))
    order.push(entry(CURRENT, 1, None))
    order.told(0, {VIDEO: 3, CURRENT: 2})
    assert pop_all(order) == [
        *((VIDEO, offset) for offset in range(3)),
        *((CURRENT, offset) for offset in range(2)),
    ]


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


def test_what_is_held_back_waits_and_nothing_waits_for_it():
    order: ReadingOrder[str] = ReadingOrder({})
    order.push(entry(CURRENT, 0, 100))
    order.push(entry(VIDEO, 0, 200))
    order.hold_back(CURRENT)
    assert order.ahead == {CURRENT}
    assert order.reading(7).held_back is CURRENT
    assert pop_all(order) == [(VIDEO, 0)]
    order.hold_back(None)
    order.told(0, {VIDEO: 1})
    assert order.ahead == frozenset()
    assert pop_all(order) == [(CURRENT, 0)]


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
Log = list[int | None]


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.randoms(use_true_random=False))
def test_any_arrival_of_two_full_partitions_gives_one_order(video, current, chance):
    """Catching up: everything is there, and only how fetches interleave is chance."""
    order: ReadingOrder[str] = ReadingOrder({})
    order.told(0, {VIDEO: len(video), CURRENT: len(current)})
    queues = {VIDEO: list(enumerate(video)), CURRENT: list(enumerate(current))}
    popped = []
    while any(queues.values()):
        modality = chance.choice([modality for modality, queue in queues.items() if queue])
        for _ in range(min(chance.randint(1, 5), len(queues[modality]))):
            offset, time_ns = queues[modality].pop(0)
            order.push(entry(modality, offset, time_ns))
        if chance.random() < 0.7:
            popped += pop_all(order)
    popped += pop_all(order)
    assert popped == merged_by_sorting(video, current)


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.randoms(use_true_random=False))
def test_a_consumer_that_drops_and_repeats_changes_nothing(video, current, chance):
    """It loses the beginning, or everything; it repeats records; it brings some after all."""
    logs = {VIDEO: video, CURRENT: current}
    order: ReadingOrder[str] = ReadingOrder({}, QueueLimits(records=chance.randint(1, 20)))
    popped, now_ns = [], 0
    for modality in Modality:
        order.starts_at(modality, 0)
    order.told(now_ns, {modality: len(log) for modality, log in logs.items()})
    for modality, offset in what_comes(logs, chance):
        order.push(entry(modality, offset, logs[modality][offset]))
        if chance.random() < 0.2:
            now_ns += chance.choice((1, LONG_NS))
            order.told(now_ns, {modality: len(log) for modality, log in logs.items()})
        if chance.random() < 0.5:
            popped += read_and_fill(order, logs)
    for _ in range(4):
        now_ns += LONG_NS
        order.told(now_ns, {modality: len(log) for modality, log in logs.items()})
        popped += read_and_fill(order, logs)
    assert popped == merged_by_sorting(video, current)


def what_comes(logs: dict[Modality, Log], chance: random.Random) -> Iterator[tuple[Modality, int]]:
    """What a consumer brings that loses some beginning, and repeats records."""
    coming = {m: list(range(chance.randint(0, len(log)), len(log))) for m, log in logs.items()}
    while any(coming.values()):
        modality = chance.choice([m for m, offsets in coming.items() if offsets])
        offset = coming[modality].pop(0)
        for _ in range(chance.choice((1, 1, 2))):
            yield modality, offset


def read_and_fill(order: ReadingOrder[str], logs: dict[Modality, Log]) -> Popped:
    """Pop everything, filling each gap from the logs."""
    popped = pop_all(order)
    while (gap := order.gap()) is not None:
        log = logs[gap.modality]
        order.fill(gap, [entry(gap.modality, offset, log[offset]) for offset in gap.offsets])
        popped += pop_all(order)
    return popped


@examples(100)
@given(st.lists(st.tuples(st.sampled_from(Modality), st.integers(0, 3), st.integers(0, 2))))
def test_all_is_read_as_of_the_last_instant_whose_end_is_handed_on(moves):
    """A record that waits is not read: nobody may take its source for silent."""
    order: ReadingOrder[str] = ReadingOrder({})
    ends, handed_on = dict.fromkeys(Modality, 0), dict.fromkeys(Modality, 0)
    told: list[tuple[int, dict[Modality, int]]] = []
    pushed = dict.fromkeys(Modality, 0)
    for now_ns, (modality, written, pops) in enumerate(moves):
        ends[modality] += written
        if pops != 1:
            told.append((now_ns, dict(ends)))
            order.told(now_ns, dict(ends))
        while pushed[modality] < ends[modality]:
            order.push(entry(modality, pushed[modality], now_ns))
            pushed[modality] += 1
        for popped in (order.pop() for _ in range(pops)):
            if popped is not None:
                handed_on[popped.modality] = popped.offset + 1
        as_of = {
            m: max((asked for asked, at in told if at[m] <= handed_on[m]), default=None)
            for m in Modality
        }
        known = {m: asked for m, asked in as_of.items() if asked is not None}
        assert order.reading(now_ns).read_as_of == known


ASCENDING = st.lists(st.integers(0, 30), max_size=20).map(sorted)


@examples(100)
@given(ASCENDING, ASCENDING, st.integers(0, 20), st.integers(0, 20))
def test_reading_again_from_any_positions_keeps_the_order(video, current, first, second):
    """Where no partition holds a straggler."""
    positions = {VIDEO: min(first, len(video)), CURRENT: min(second, len(current))}
    order: ReadingOrder[str] = ReadingOrder(positions)
    order.told(0, {VIDEO: len(video), CURRENT: len(current)})
    for modality, times in ((CURRENT, current), (VIDEO, video)):
        for offset in range(positions[modality], len(times)):
            order.push(entry(modality, offset, times[offset]))
    whole = merged_by_sorting(video, current)
    assert pop_all(order) == [
        (modality, offset) for modality, offset in whole if offset >= positions[modality]
    ]


def merged_by_sorting(video: Log, current: Log) -> Popped:
    """Sort by the newest event time so far of the own partition, embeddings first."""
    keyed = []
    for modality, times in ((VIDEO, video), (CURRENT, current)):
        newest = -1
        for offset, time_ns in enumerate(times):
            newest = max(newest, -1 if time_ns is None else time_ns)
            keyed.append((newest, modality is CURRENT, offset, modality))
    return [(modality, offset) for _, _, offset, modality in sorted(keyed)]


def test_a_consumer_that_brings_what_was_filled_is_not_overdue_again():
    """It is only slow: else everything would be read past it, piece by piece, for ever."""
    order: ReadingOrder[int] = ReadingOrder({})
    for second in (0, 5):
        order.told(second * NS_PER_S, {Modality.VIDEO: 4, Modality.CURRENT: 0})
    gap = order.gap()
    assert gap == Gap(Modality.VIDEO, range(4))
    order.fill(gap, [Entry(Modality.VIDEO, offset, offset, 1, offset) for offset in gap.offsets])
    while order.pop() is not None:
        pass
    for offset in range(4):
        order.told((6 + 4 * offset) * NS_PER_S, {Modality.VIDEO: 12, Modality.CURRENT: 0})
        order.push(Entry(Modality.VIDEO, offset, offset, 1, offset))
    assert order.gap() is None
    for second in (20, 25):
        order.told(second * NS_PER_S, {Modality.VIDEO: 12, Modality.CURRENT: 0})
    assert order.gap() == Gap(Modality.VIDEO, range(4, 12))
