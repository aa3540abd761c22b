"""What a plant's network does to records: each is sent when, and from a clock that, a test says."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from kafka import KafkaProducer
from kafka.partitioner.default import murmur2
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.support.entries import entry_of
from tests.support.input_records import (
    PERIOD_NS,
    STRIDE_NS,
    InputRecord,
    frame_record,
    sample_record,
)

_READERS = {Topic.EMBEDDINGS: read_embedding, Topic.CURRENTS: read_current}
TOPICS = {Modality.VIDEO: Topic.EMBEDDINGS, Modality.CURRENT: Topic.CURRENTS}


@dataclass(frozen=True)
class Source:
    """A camera or a meter.

    Attributes
    ----------
    furnace_id, modality
        Whose.
    from_ns, until_ns
        Event times of what it sends.
    sent_ns
        Gives, for an event time, when the record is sent: now, late, or all at once.
    shown_ns
        Gives the event time that its clock shows.
    samples
        How many a meter sends at once.
    """

    furnace_id: str
    modality: Modality
    from_ns: int
    until_ns: int
    sent_ns: Callable[[int], int] = lambda event_ns: event_ns
    shown_ns: Callable[[int], int] = lambda event_ns: event_ns
    samples: int = 2

    def records(self) -> Iterator[tuple[int, InputRecord]]:
        """Yield what it sends, and when."""
        video = self.modality is Modality.VIDEO
        step_ns = STRIDE_NS if video else self.samples * PERIOD_NS
        phase_ns = PUBLISHED_SPEC.phase_ns(self.furnace_id) % STRIDE_NS if video else 0
        first_ns = self.from_ns - (self.from_ns - phase_ns) % step_ns + step_ns
        for number, event_ns in enumerate(range(first_ns, self.until_ns, step_ns)):
            last_ns = event_ns if video else event_ns + step_ns - PERIOD_NS
            sent_ns, shown_ns = self.sent_ns(last_ns), self.shown_ns(event_ns)
            made = frame_record if video else partial(sample_record, count=self.samples)
            seq = number if video else number * self.samples
            record = made(self.furnace_id, shown_ns, seq=seq, sent_ns=sent_ns)
            yield sent_ns, replace(record, timestamp_ms=sent_ns // NS_PER_MS)


@dataclass
class Weather:
    """Records of many sources and strangers by the time at which they are sent."""

    due: list[tuple[int, InputRecord]] = field(default_factory=list)

    def add(self, *sources: Source) -> None:
        """Take what sources send."""
        for source in sources:
            self.due += source.records()

    def blow(self, address: str, prefix: str) -> None:
        """Send each record when it is due."""
        producer = KafkaProducer(bootstrap_servers=address, linger_ms=5)
        self.due.sort(key=lambda each: each[0])
        for sent_ns, record in self.due:
            while (left_ns := sent_ns - time.time_ns()) > 0:
                time.sleep(min(left_ns / NS_PER_S, 0.2))
            producer.send(
                record.topic.under(prefix), key=record.key, value=record.value,
                headers=list(record.headers), timestamp_ms=record.timestamp_ms,
            )  # fmt: skip
        producer.flush()
        producer.close()

    def undisturbed(self, furnace_id: str) -> dict[str, AlignedWindow]:
        """Return the windows of a furnace whose records come in the order of event time."""
        chunks = defaultdict[Topic, list[Chunk]](list)
        for _, record in self.due:
            if record.key == furnace_id.encode():
                chunks[record.topic].append(_READERS[record.topic](record.at(0)))
        numbered = [(chunk, n) for each in chunks.values() for n, chunk in enumerate(each)]
        numbered.sort(key=lambda each: each[0].last_event_ns)
        joiner = PartitionJoiner(0, default_encoder())
        return {
            window.window_id: window
            for chunk, offset in numbered
            for window in joiner.advance(entry_of(chunk, offset), Reading(0)).windows
        }


def names(count: int, partitions: int) -> list[str]:
    """Return names of furnaces that Kafka's clients put into one and the same partition."""
    found = (f"works/melt/F{number}" for number in range(100_000))
    same = [name for name in found if (murmur2(name.encode()) & 0x7FFFFFFF) % partitions == 0]
    return same[:count]
