"""Rule 5: the merge of a partition pair, against a plain description of who may go when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.entry import Entry
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.merge import QueueLimits, ReadingOrder
from meltwatch_schemas.errors import violation
from meltwatch_schemas.score import Modality

from tests.support.entries import entry_at
from tests.support.examples import examples

VIDEO, CURRENT = Modality.VIDEO, Modality.CURRENT
Popped = list[tuple[Modality, int]]


def entry(modality: Modality, offset: int, last_event_ns: int | None, size: int = 1) -> Entry:
    return entry_at(modality, offset, violation("not looked at"), last_event_ns, size)


def pop_all(order: ReadingOrder) -> Popped:
    popped = []
    while (ready := order.pop()) is not None:
        popped.append((ready.modality, ready.offset))
    return popped


def test_a_record_waits_while_nothing_is_known_of_the_other_partition():
    order = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    assert order.pop() is None
    order.told(0, {CURRENT: 0})
    assert pop_all(order) == [(VIDEO, 0)]


def test_the_earlier_head_goes_first_and_embeddings_win_ties():
    order = ReadingOrder({})
    order.push(entry(CURRENT, 0, 100))
    order.push(entry(VIDEO, 0, 100))
    order.push(entry(CURRENT, 1, 90))
    order.push(entry(VIDEO, 1, 101))
    # Current 1 is earlier than current 0: it follows right behind it, before video 1.
    assert pop_all(order) == [(VIDEO, 0), (CURRENT, 0), (CURRENT, 1)]


def test_an_end_offset_releases_only_once_it_is_reached():
    order = ReadingOrder({CURRENT: 3})
    order.push(entry(VIDEO, 0, 100))
    order.told(0, {CURRENT: 5})
    assert order.pop() is None
    order.push(entry(CURRENT, 3, 50))
    assert pop_all(order) == [(CURRENT, 3)]
    order.push(entry(CURRENT, 4, 60))
    assert pop_all(order) == [(CURRENT, 4), (VIDEO, 0)]


def test_an_end_that_was_told_holds_until_the_next_is_told():
    """Live, a record may go ahead of one that comes while it waits: the join does not mind."""
    order = ReadingOrder({})
    order.told(0, {VIDEO: 0, CURRENT: 0})
    order.push(entry(VIDEO, 0, 100))
    assert pop_all(order) == [(VIDEO, 0)]
    order.told(1, {VIDEO: 1, CURRENT: 1})
    order.push(entry(VIDEO, 1, 200))
    assert order.pop() is None


def test_a_refused_record_follows_right_behind_the_one_before_it():
    order = ReadingOrder({})
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
    order = ReadingOrder({}, QueueLimits(records=4, size_bytes=1000))
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
    order = ReadingOrder({}, QueueLimits(records=100, size_bytes=1000))
    order.push(entry(CURRENT, 0, 100, size=1001))
    assert order.ahead == {CURRENT}
    assert order.size_bytes == 1001


def test_what_is_held_back_waits_and_nothing_waits_for_it():
    order = ReadingOrder({})
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
    order = ReadingOrder({VIDEO: 5})
    with pytest.raises(OutOfSequence, match="at least 5, got 4"):
        order.push(entry(VIDEO, 4, 100))


def test_what_was_missed_takes_its_place_before_what_waits():
    order = ReadingOrder({CURRENT: 2})
    for offset in (4, 2, 3):
        order.push(entry(CURRENT, offset, 10 * offset))
    assert (order.head(CURRENT), order.head(VIDEO)) == (2, None)
    order.told(0, {VIDEO: 0})
    assert pop_all(order) == [(CURRENT, offset) for offset in (2, 3, 4)]
    with pytest.raises(OutOfSequence, match="at least 5, got 3"):
        order.push(entry(CURRENT, 3, 30))


def test_an_end_is_reached_where_the_last_offsets_hold_no_records():
    order = ReadingOrder({})
    order.push(entry(VIDEO, 0, 100))
    order.told(0, {VIDEO: 1, CURRENT: 2})
    assert order.pop() is None
    order.read_until(CURRENT, 2)
    assert order.reading(3).read_as_of == {CURRENT: 0}
    assert pop_all(order) == [(VIDEO, 0)]


EVENT_TIMES = st.lists(st.integers(0, 30) | st.none(), max_size=20)
Log = list[int | None]


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.randoms(use_true_random=False))
def test_any_arrival_of_two_full_partitions_gives_one_order(video, current, chance):
    """Catching up: everything is there, and only how fetches interleave is chance."""
    order = ReadingOrder({})
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
@given(st.lists(st.tuples(st.sampled_from(Modality), st.integers(0, 3), st.integers(0, 2))))
def test_all_is_read_as_of_the_last_instant_whose_end_is_handed_on(moves):
    """A record that waits is not read: nobody may take its source for silent."""
    order = ReadingOrder({})
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
    order = ReadingOrder(positions)
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
