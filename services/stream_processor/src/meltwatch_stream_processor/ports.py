"""What the pipeline needs from outside; adapters give it, tests use fakes."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from meltwatch_chassis.kafka.record import Delivered
from meltwatch_core.portraits import KnownPortrait
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.score import WindowScore


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Committed(NamedTuple):
    """What the group has committed for a partition.

    Attributes
    ----------
    offset
        The next one to be read.
    is_ours
        A stream processor committed it; else somebody moved it there, or version 0.1 wrote it.
    topic_id
        Of the topic that it is an offset of; None where nobody said.
    """

    offset: int
    is_ours: bool = True
    topic_id: str | None = None


class Arrivals(Protocol):
    """What the consumer brings of one partition: it may repeat records, and pass some over."""

    @property
    def position(self) -> int:
        """The offset below which every record has come, or is known to be none."""
        ...

    def came(self, offset: int) -> bool:
        """Note a record; tell whether it is new."""
        ...

    def begins(self, offset: int) -> None:
        """Expect every record from an offset on."""
        ...

    def told(self, asked_ns: int, end_offset: int, *, awaited: bool) -> None:
        """Take where the partition ends, and whether its next record could have come."""
        ...

    def missing(self, head: int | None) -> range:
        """Return the offsets to be read from the broker, given the next one that waits."""
        ...

    def filled(self, records: Sequence[RawRecord]) -> list[RawRecord]:
        """Take what the broker has of them; return what has not come meanwhile."""
        ...


class Inputs(Protocol):
    """Consumer of both input topics: its flow and its committed offsets, not its records."""

    def arrivals(self) -> Arrivals:
        """Return a new account of what will come of one partition."""
        ...

    def pause(self, partition: TopicPartition) -> None:
        """Fetch no more of a partition; what was already fetched still arrives."""
        ...

    def resume(self, partition: TopicPartition) -> None:
        """Fetch a paused partition again."""
        ...

    def rejoin(self) -> None:
        """Make the group assign the partitions again, by the topics as they are now."""
        ...

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Committed]:
        """Return what is committed; a partition for which nothing is has no entry.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit the next offset to be read per partition.

        Raises
        ------
        TransientError
            If the broker does not answer or the group has moved on.
        """
        ...


class InputRange(Protocol):
    """What the broker has of the input partitions, asked without the consumer."""

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the oldest offsets that Kafka still has.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the end offsets as they are at the time of the call, never from a cache.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def records(self, partition: TopicPartition, offsets: range) -> Sequence[RawRecord]:
        """Return the records that stand at these offsets, in their order.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class TopicFacts(NamedTuple):
    """A topic as the broker has it.

    Attributes
    ----------
    id
        New each time a topic is made, whatever its name; None where the broker gives none.
    partitions
        How many.
    """

    id: str | None
    partitions: int


@dataclass(frozen=True, slots=True)
class Census:
    """Our topics and who reads them, as the broker knows it.

    Attributes
    ----------
    topics
        By full name, those that exist.
    owned
        Partitions that some member of the group has; None while the group has not settled.
    """

    topics: Mapping[str, TopicFacts]
    owned: frozenset[TopicPartition] | None


class Group(Protocol):
    """The consumer group and its topics, as the broker knows them."""

    async def census(self) -> Census:
        """Return the topics as they are now, and who reads them.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class ScoreHistory(Protocol):
    """What was published before this process was assigned a partition."""

    def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        """Read a scores partition from an event time to its present end.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    def newest(self, partition: int) -> AsyncIterator[WindowScore]:
        """Read the last hundreds of records of a scores partition.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class PortraitFeed(Protocol):
    """What normal operation of each furnace is."""

    def of(self, furnace_id: str) -> KnownPortrait | None:
        """Return the portrait of a furnace, if it has one."""
        ...

    async def settle(self) -> None:
        """Wait until every portrait has been read that stood there at the beginning."""
        ...

    async def follow(self) -> None:
        """Read on until cancelled.

        Raises
        ------
        FatalError
            If a right is missing.
        """
        ...


class Publisher(Protocol):
    """Writes to the output topics."""

    async def publish(self, record: OutgoingRecord) -> Delivered:
        """Return once every in-sync replica has the record.

        Raises
        ------
        TransientError
            If it may succeed later.
        FatalError
            If it never will.
        """
        ...

    async def flush(self) -> None:
        """Wait until no record is on its way any more."""
        ...
