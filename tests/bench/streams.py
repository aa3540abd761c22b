"""What the join is given: records of simulated furnaces, as they are read from one partition."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meltwatch_core.join.entry import read
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import ReadingOrder
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.encoder import Encoder, default_encoder
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic

from tests.support.input_records import InputRecord, live

Placed = tuple[RawRecord, Modality]
"""A record as it is read, and of which topic."""
LOOK_BACK_S = 125.0
MODALITY = {Topic.EMBEDDINGS: Modality.VIDEO, Topic.CURRENTS: Modality.CURRENT}


@dataclass(frozen=True)
class Stream:
    """Records in the order of reading, with their modalities.

    Attributes
    ----------
    before
        Those that fill each furnace's look-back.
    records
        Those that are counted: each furnace's windows are whole from here on.
    """

    before: Sequence[Placed]
    records: Sequence[Placed]


def names(count: int) -> list[str]:
    """Return the ids of so many furnaces."""
    return [f"bench/hall-1/F{number:04}" for number in range(count)]


def stream(furnaces: int, seconds: float) -> Stream:
    """Return so many seconds of so many furnaces, behind a whole look-back."""
    read = [*placed(live(names(furnaces), LOOK_BACK_S + seconds))]
    start_ms = read[0][0].timestamp_ms + round(LOOK_BACK_S * 1000)
    return Stream(
        [each for each in read if each[0].timestamp_ms < start_ms],
        [each for each in read if each[0].timestamp_ms >= start_ms],
    )


def placed(records: Iterable[InputRecord]) -> Iterator[Placed]:
    """Give records as they are read from the partition that holds them all."""
    offsets = dict.fromkeys(Topic, 0)
    for record in records:
        yield record.at(offsets[record.topic]), MODALITY[record.topic]
        offsets[record.topic] += 1


class Join:
    """One partition pair's join, as the stream processor drives it."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self.joiner = PartitionJoiner(0, encoder or default_encoder())
        self._order = ReadingOrder({})

    def take(self, records: Iterable[Placed]) -> Iterator[Outcome]:
        """Decode, merge and join; every window counts as published at once."""
        order, joiner = self._order, self.joiner
        for raw, modality in records:
            order.push(read(raw, modality))
            while (entry := order.pop()) is not None:
                outcome = joiner.advance(entry, order.reading(0))
                for window in outcome.windows:
                    joiner.published(window)
                yield outcome

    def fill(self, records: Iterable[Placed]) -> None:
        """Join records that nobody counts."""
        for _ in self.take(records):
            pass


def windows(given: Stream) -> list[AlignedWindow]:
    """Return the whole windows of a stream."""
    join = Join()
    join.fill(given.before)
    return [window for outcome in join.take(given.records) for window in outcome.windows]
