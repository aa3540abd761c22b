"""What a replay needs from outside; adapters give it, tests use fakes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from meltwatch_chassis.recording.manifest import Manifest, Part
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.volume import KafkaNow


class TopicPart(NamedTuple):
    """One partition of one topic of the catalogue."""

    topic: Topic
    partition: int


class OffsetRange(NamedTuple):
    """Offsets ``[start, end)``; there may be gaps within, which markers and compaction leave."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What a recording was made of.

    Attributes
    ----------
    span
        Event times that can be replayed from it.
    partitions
        Those of the inputs and the scores that it holds, whole.
    """

    span: Span
    partitions: frozenset[int]


class History(Protocol):
    """What a live system left behind, frozen: later records are not seen."""

    @property
    def prefix(self) -> str:
        """First part of every topic name."""
        ...

    @property
    def partitions(self) -> int:
        """Number P of partitions of the inputs and the scores."""
        ...

    @property
    def saved(self) -> Saved | None:
        """What was saved of it; None for a history that is all that there is."""
        ...

    def bounds(self, part: TopicPart) -> OffsetRange:
        """Return the offsets that there are; empty for a part that history does not hold.

        Raises
        ------
        DependencyUnreachable
            If the broker does not answer.
        """
        ...

    def start_at(self, part: TopicPart, time_ns: int) -> int:
        """Return the first offset whose record timestamp is not earlier, the end if there is none.

        Later offsets may hold earlier timestamps.

        Raises
        ------
        DependencyUnreachable
            If the broker does not answer.
        """
        ...

    def read(self, part: TopicPart, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, end)`` within the bounds, by offset, in bounded memory.

        Several parts may be read at the same time.

        Raises
        ------
        DependencyUnreachable
            If the broker does not answer.
        BrokenRecording
            If a recording is not what its manifest says.
        """
        ...


class RecordingSink(Protocol):
    """Where a recording goes."""

    def write(self, part: TopicPart, offsets: OffsetRange, records: Iterable[RawRecord]) -> Part:
        """Save the records of a part, which come by offset, and return what the manifest says.

        Raises
        ------
        BadUsage
            If there is no room or no permission.
        """
        ...

    def finish(self, manifest: Manifest) -> None:
        """Save the manifest: from now on it is a recording.

        Raises
        ------
        BadUsage
            If there is no room or no permission.
        """
        ...


class ReplaySink(Protocol):
    """The currents topic of a replay."""

    def newest(self, key: bytes) -> RawRecord | None:
        """Return the last record of a key, None if there is none.

        Raises
        ------
        DependencyUnreachable
            If the broker does not answer.
        """
        ...

    def write(self, records: Iterable[OutgoingRecord]) -> None:
        """Write records in their order; returns once all of them stand.

        Raises
        ------
        DependencyUnreachable
            If the broker does not answer.
        """
        ...


class JournalTopics(Protocol):
    """The topics that an alarm journal keeps, each of one partition."""

    def name(self, topic: Topic) -> str:
        """Return the full name of a topic."""
        ...

    def now(self, topic: Topic) -> KafkaNow:
        """Return what a topic is and holds at this moment."""
        ...

    def read(self, topic: Topic, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, end)`` that are there, by offset."""
        ...
