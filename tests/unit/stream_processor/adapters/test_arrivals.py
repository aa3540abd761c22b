"""A consumer that drops and repeats: what comes, what is missing, and what changes nothing."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.merge import ReadingOrder
from meltwatch_schemas.errors import violation
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.adapters.faust import arrivals
from meltwatch_stream_processor.adapters.faust.arrivals import FaustArrivals

from tests.support.entries import entry_at
from tests.support.examples import examples
from tests.unit.core.join.test_reading_order import (
    CURRENT,
    EVENT_TIMES,
    VIDEO,
    Log,
    Popped,
    merged_by_sorting,
)

LONG_NS = 5 * NS_PER_S
"""What has not come for so long was passed over."""


def at(*offsets: int) -> list[RawRecord]:
    return [RawRecord("topic", 0, offset, 0, None, None, ()) for offset in offsets]


def begun_at(offset: int) -> FaustArrivals:
    one = FaustArrivals()
    one.begins(offset)
    return one


def silent(one: FaustArrivals, end: int, *at_ns: int) -> None:
    """Nothing comes, although it could."""
    for asked_ns in at_ns:
        one.told(asked_ns, end, awaited=True)


def test_what_stands_before_the_first_record_is_missing():
    one = FaustArrivals()
    assert one.came(7)
    assert one.missing(7) == range(0), "where reading starts is not known yet"
    one.begins(5)
    assert one.missing(7) == range(5, 7)
    assert one.filled(at(5)) == at(5)
    assert one.missing(5) == range(0)
    assert one.came(9)
    assert one.missing(None) == range(0), "between records Kafka keeps markers"


def test_an_end_that_is_not_reached_for_long_is_a_gap():
    one = begun_at(3)
    silent(one, 5, 0, LONG_NS - 1)
    assert one.missing(None) == range(0)
    silent(one, 5, LONG_NS)
    assert one.missing(None) == range(3, 5)
    assert one.filled([]) == [], "a marker of a transaction was all there is"
    assert (one.position, one.missing(None)) == (5, range(0))


def test_a_partition_that_gets_on_or_is_kept_back_has_no_gap():
    one = begun_at(3)
    silent(one, 5, 0)
    assert one.came(3)
    silent(one, 5, LONG_NS)
    assert one.missing(None) == range(0)
    one.told(3 * LONG_NS, 5, awaited=False)
    assert one.missing(None) == range(0)


@pytest.mark.parametrize("first", [160, None])
def test_a_long_gap_is_filled_in_pieces_that_are_handed_on_one_by_one(first: int | None):
    one = begun_at(0)
    silent(one, 160, 0, LONG_NS)
    if first is not None:
        assert one.came(first)
    pieces, head = [], first
    while offsets := one.missing(head):
        assert one.filled(at(*offsets)) == at(*offsets)
        if first is not None:
            assert one.missing(offsets.start) == range(0), "the piece waits to be handed on"
        pieces.append(offsets)
    assert pieces == [range(64), range(64, 128), range(128, 160)]
    assert one.position == (160 if first is None else 161)


def test_what_comes_while_a_gap_is_filled_ends_it():
    one = begun_at(3)
    silent(one, 6, 0, LONG_NS)
    assert one.missing(None) == range(3, 6)
    assert one.came(4)
    assert one.filled(at(3, 4, 5)) == at(3)
    assert not one.came(3)
    assert one.came(5)


def test_the_last_record_may_come_twice_and_no_other():
    one = begun_at(0)
    assert [one.came(offset) for offset in (0, 1, 1)] == [True, True, False]
    with pytest.raises(OutOfSequence, match="at least 2, got 0"):
        one.came(0)


def test_a_consumer_that_brings_what_was_filled_is_not_overdue_again():
    """It is only slow: else everything would be read past it, piece by piece, for ever."""
    one = begun_at(0)
    silent(one, 4, 0, LONG_NS)
    assert one.filled(at(*one.missing(None))) == at(0, 1, 2, 3)
    for offset in range(4):
        silent(one, 12, (6 + 4 * offset) * NS_PER_S)
        assert not one.came(offset)
    assert one.missing(None) == range(0)
    silent(one, 12, 20 * NS_PER_S, 25 * NS_PER_S)
    assert one.missing(None) == range(4, 12)


class Reader:
    """Merges what such a consumer brings of two topics, filling each gap from the logs."""

    def __init__(self, logs: dict[Modality, Log]) -> None:
        self._logs = logs
        self._ends = {modality: len(log) for modality, log in logs.items()}
        self._arrivals = {modality: begun_at(0) for modality in Modality}
        self._order = ReadingOrder({})
        self.popped: Popped = []
        self.told(0)

    def told(self, now_ns: int) -> None:
        for modality, one in self._arrivals.items():
            awaited = self._order.head(modality) is None
            one.told(now_ns, self._ends[modality], awaited=awaited)
        self._order.told(now_ns, self._ends)

    def push(self, modality: Modality, offset: int) -> None:
        if self._arrivals[modality].came(offset):
            self._push(modality, offset)

    def read(self) -> None:
        """Hand on what may be, one record at a time, and nothing ahead of a gap."""
        popped: Popped = []
        while True:
            for modality, one in self._arrivals.items():
                while offsets := one.missing(self._order.head(modality)):
                    for record in one.filled(at(*offsets)):
                        self._push(modality, record.offset)
                    self._order.read_until(modality, one.position)
            if (entry := self._order.pop()) is None:
                break
            popped.append((entry.modality, entry.offset))
        self.popped += popped

    def _push(self, modality: Modality, offset: int) -> None:
        time_ns = self._logs[modality][offset]
        self._order.push(entry_at(modality, offset, violation("not looked at"), time_ns))


@examples(100)
@given(EVENT_TIMES, EVENT_TIMES, st.integers(1, 20), st.randoms(use_true_random=False))
def test_a_consumer_that_drops_and_repeats_changes_nothing(video, current, piece, chance):
    """It loses the beginning, or everything; it repeats records; it brings some after all."""
    logs = {VIDEO: video, CURRENT: current}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "_PIECE", piece)
        reader, now_ns = Reader(logs), 0
        for modality, offset in what_comes(logs, chance):
            reader.push(modality, offset)
            if chance.random() < 0.2:
                now_ns += chance.choice((1, LONG_NS))
                reader.told(now_ns)
            if chance.random() < 0.5:
                reader.read()
        for _ in range(4):
            now_ns += LONG_NS
            reader.told(now_ns)
            reader.read()
    assert reader.popped == merged_by_sorting(video, current)


def what_comes(logs: dict[Modality, Log], chance: random.Random) -> Iterator[tuple[Modality, int]]:
    """What a consumer brings that loses some beginning, and repeats records."""
    coming = {m: list(range(chance.randint(0, len(log)), len(log))) for m, log in logs.items()}
    while any(coming.values()):
        modality = chance.choice([m for m, offsets in coming.items() if offsets])
        offset = coming[modality].pop(0)
        for _ in range(chance.choice((1, 1, 2))):
            yield modality, offset
