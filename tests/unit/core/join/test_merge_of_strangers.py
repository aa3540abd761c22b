"""Merge and join together: strangers' event times decide what is read first, and spoil nothing."""

import random
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import ReadingOrder
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.score import Modality

from tests.support.entries import entry_of
from tests.support.examples import examples
from tests.support.oracle import Record
from tests.unit.core.join.sequences import (
    CHANCE,
    ENCODER,
    ORDERLY,
    SMALL,
    Arrival,
    Said,
    as_it_came,
    chunk_of,
    join,
    numbered,
    rules_of,
    said,
    small_sequences,
)


class Merged:
    """Reads two topics through the merge, from some moment on, as fetches bring the records.

    Parameters
    ----------
    arrivals
        What comes, in the order in which it does.
    start
        When reading starts; what came before is a backlog.
    """

    def __init__(self, arrivals: list[Arrival], start: int, chance: random.Random) -> None:
        self._logs = {m: [a for a in arrivals if a.record.modality == m] for m in Modality}
        self._fetched = dict.fromkeys(Modality, 0)
        self._order = ReadingOrder({})
        self._joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL))
        self._chance, self._now, self._last = chance, start, arrivals[-1].at

    def outcomes(self) -> Iterator[tuple[Record | None, Outcome]]:
        """What each record and each look at the clock led to, until all are retired."""
        while self._joiner.furnaces or self._now <= self._last:
            came = [self._fetch(modality) for modality in Modality]
            if not any(came):
                self._now += self._chance.randint(1, SMALL.pause_cap)
            if not any(came) or self._chance.random() < 0.3:
                self._order.told(self._now, {m: self._end(m) for m in Modality})
                yield None, self._joiner.advance(None, self._order.reading(self._now))
            while (entry := self._order.pop()) is not None:
                record = self._logs[entry.modality][entry.offset].record
                yield record, self._joiner.advance(entry, self._order.reading(self._now))

    def _end(self, modality: Modality) -> int:
        return sum(arrival.at <= self._now for arrival in self._logs[modality])

    def _fetch(self, modality: Modality) -> int:
        """Take some of what is there, and return how many records were."""
        start, end = self._fetched[modality], self._end(modality)
        taken = self._logs[modality][start:end][: self._chance.randint(0, 8)]
        for record in (arrival.record for arrival in taken):
            self._order.push(entry_of(chunk_of(record), record.offset))
        self._fetched[modality] += len(taken)
        return end - start


@examples(12)
@given(ORDERLY, small_sequences(), CHANCE)
def test_whatever_strangers_do_to_the_merge_a_sound_furnace_misses_nothing(
    arrivals: list[Arrival], wild: list[Record], chance: random.Random
):
    crowd = among(arrivals, wild, chance)
    start = chance.choice((crowd[0].at, crowd[len(crowd) // 2].at, crowd[-1].at))
    sound, late = list[AlignedWindow](), list[Record]()
    for record, outcome in Merged(crowd, start, chance).outcomes():
        sound += [window for window in outcome.windows if not is_wild(window.furnace_id)]
        late += [record] if record and outcome.late and not is_wild(record.furnace) else []
    undisturbed = [w for o in join(as_it_came(arrivals, SMALL), SMALL) for w in o.windows]
    assert sorted_by_furnace(sound) == sorted_by_furnace(undisturbed)
    assert not late


def among(arrivals: list[Arrival], wild: list[Record], chance: random.Random) -> list[Arrival]:
    """Strangers' records come at any time, between those of the others."""
    mixed = list(arrivals)
    for record in wild:
        index = chance.randint(0, len(mixed) - 1)
        stranger = replace(record, furnace=f"wild/{record.furnace}")
        mixed.insert(index, Arrival(mixed[index].at, stranger))
    records = numbered(arrival.record for arrival in mixed)
    return [Arrival(a.at, record) for a, record in zip(mixed, records, strict=True)]


def is_wild(furnace: str) -> bool:
    return furnace.startswith("wild/")


def sorted_by_furnace(windows: list[AlignedWindow]) -> list[Said]:
    return sorted(map(said, windows), key=lambda one: (one.window.furnace, one.window.end))
