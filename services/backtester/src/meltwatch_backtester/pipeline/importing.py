"""The currents of a historian on their way into a recording, or into the topics of a replay."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from typing import Final

from meltwatch_chassis.recording.manifest import Manifest
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.topics import DEFAULT_PREFIX
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_backtester.domain.imported import SAMPLES, next_seq, record_of, records_of
from meltwatch_backtester.errors import BadUsage
from meltwatch_backtester.ports import OffsetRange, RecordingSink, ReplaySink, TopicPart

_NO_END: Final = 2**62


@dataclass
class Chunks:
    """Passes chunks on and notes from when to when they reach.

    Attributes
    ----------
    made
        Where they come from.
    advance
        Told that so many more have passed.
    count, first_ns, last_ns
        How many have, first sample and last.
    """

    made: Iterator[CurrentChunk]
    advance: Callable[[int], None]
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def __iter__(self) -> Iterator[CurrentChunk]:
        for chunk in self.made:
            self.first_ns = self.first_ns if self.count else chunk.event_time_ns
            self.last_ns = chunk.last_event_ns
            self.count += 1
            yield chunk
            self.advance(1)

    def times(self) -> dict[str, str]:
        """Return from when to when, end excluded, in whole milliseconds as records tell them."""
        return {"from": rfc3339(self.since), "to": rfc3339(self.until)}

    @property
    def since(self) -> datetime:
        """When it begins."""
        return utc_from_ns(self.first_ns // NS_PER_MS * NS_PER_MS)

    @property
    def until(self) -> datetime:
        """When it has ended."""
        return utc_from_ns((self.last_ns // NS_PER_MS + 1) * NS_PER_MS)


def into_recording(sink: RecordingSink, part: TopicPart, partitions: int, chunks: Chunks) -> None:
    """Write a recording; where it ends is known only behind its last record.

    Without chunks nothing is finished.

    Raises
    ------
    BadUsage
        If there is no room or no permission.
    """
    records = records_of(chunks, part.topic.under(DEFAULT_PREFIX), part.partition)
    written = sink.write(part, OffsetRange(0, _NO_END), records)
    if not chunks.count:
        return
    sink.finish(
        Manifest(
            topic_prefix=DEFAULT_PREFIX,
            partitions=partitions,
            recorded_partitions=(part.partition,),
            since=chunks.since,
            until=chunks.until,
            partial=False,
            parts=(written.model_copy(update={"end": chunks.count}),),
        )
    )


def into_replay(sink: ReplaySink, identity: ChunkIdentity, chunks: Chunks, now_ns: int) -> int:
    """Write what does not stand in a topic yet; return how many records stood there already.

    Parameters
    ----------
    sink
        Where to.
    identity
        Of the import: a topic that holds other currents of the furnace takes none of it.
    chunks
        By time, always the same ones of the same import.
    now_ns
        The broker takes no records of later times.

    Raises
    ------
    BadUsage
        If the topic holds other currents of the furnace, or a time lies ahead.
    DependencyUnreachable
        If the broker does not answer.
    """
    first = next_seq(sink.newest(identity.furnace_id.encode()), identity)
    rest = dropwhile(lambda chunk: chunk.identity.seq < first, chunks)
    sink.write(record_of(chunk) for chunk in _past(rest, now_ns))
    return first // SAMPLES


def _past(chunks: Iterable[CurrentChunk], now_ns: int) -> Iterator[CurrentChunk]:
    for chunk in chunks:
        if chunk.last_event_ns > now_ns:
            time = rfc3339(utc_from_ns(chunk.last_event_ns))
            raise BadUsage(f"expected times of the past, got {time}")
        yield chunk
