"""aiokafka's consumer for two ends: to read without a group, and to be in one without reading."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import UnknownError
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.kafka import aiokafka_batches
from meltwatch_chassis.kafka.async_admin import Part, offset_of
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_chassis.kafka.record import raw_record

_READ_MS: Final = 100  # the last thing in a stretch may be a marker, which no poll returns
_STAY_MS: Final = 200
_EARLIER_MS: Final = (0, 10_000, 1_000_000, 100_000_000)
_AS_A_RULE: Final = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
_log = structlog.get_logger()


class AsyncReader:
    """Reads a stretch of a partition, or what comes to several; what retention took is passed over.

    A partition is named by its topic and number. Where the broker does not answer, or answers
    nonsense, each call raises a ``TransientError`` that says what was asked.

    Parameters
    ----------
    consumer
        Kafka's client.
    rest_s
        What is followed is left alone for so long after an answer that brought something. So what
        comes meanwhile comes together, and a record that comes alone is not held up.
    """

    def __init__(self, consumer: AIOKafkaConsumer, rest_s: float = 0.0) -> None:
        self._consumer = consumer
        self._rest_s = rest_s
        self._resting: frozenset[TopicPartition] = frozenset()
        self._rested_s = 0.0

    async def begins(self, parts: Iterable[Part]) -> dict[Part, int]:
        """Return the oldest offsets that Kafka still has."""
        asked = [TopicPartition(*part) for part in parts]
        with kafka_failures(f"asking for the beginnings of {_names(asked)}"):
            found = await self._consumer.beginning_offsets(asked)
        return {part: offset_of(found, part) for part in asked}

    async def ends(self, parts: Iterable[Part]) -> dict[Part, int]:
        """Return the offsets that come next, as they are now, never from a cache."""
        asked = [TopicPartition(*part) for part in parts]
        with kafka_failures(f"asking for the ends of {_names(asked)}"):
            found = await self._consumer.end_offsets(asked)
        return {part: offset_of(found, part) for part in asked}

    async def first_offset(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still holds."""
        return (await self.begins([(topic, partition)]))[topic, partition]

    async def end(self, topic: str, partition: int) -> int:
        """Return the offset that comes next."""
        return (await self.ends([(topic, partition)]))[topic, partition]

    async def offset_near(self, topic: str, partition: int, time_ms: int) -> int | None:
        """Return the first offset since a time, None if there is none.

        A broker reads a whole record to tell, and fails where that unpacks to more than it has
        memory for. Then it is an offset further back, at worst the first.
        """
        part = TopicPartition(topic, partition)
        for earlier_ms in _EARLIER_MS:
            asked = {part: max(time_ms - earlier_ms, 0)}
            with kafka_failures(f"asking for a time in {_names([part])}"):
                try:
                    found = await self._consumer.offsets_for_times(asked)
                except UnknownError:
                    _log.warning("broker_finds_no_time", topic=topic, partition=partition)
                else:
                    return None if found[part] is None else int(found[part].offset)
        return await self.first_offset(topic, partition)

    async def read(self, topic: str, partition: int, offsets: range) -> AsyncIterator[RawRecord]:
        """Yield the records at these offsets, and none beyond them that comes meanwhile.

        Whatever was followed is not any more.
        """
        part = TopicPartition(topic, partition)
        self.follow({part: offsets.start})
        # Positions, not records, tell the end: markers and retention leave gaps between offsets.
        while not await self.has_read({part: offsets.stop}):
            with kafka_failures(f"reading {_names([part])} up to {offsets.stop}"):
                batches = await self._consumer.getmany(part, timeout_ms=_READ_MS)
                records = [raw_record(record) for record in batches.get(part, ())]
            for record in records:
                if record.offset < offsets.stop:
                    yield record

    def follow(self, starts: Mapping[Part, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        with kafka_failures(f"seeking in {_names(starts)}"):
            self._resting = frozenset()
            self._consumer.assign([TopicPartition(*part) for part in starts])
            for part, offset in starts.items():
                self._consumer.seek(TopicPartition(*part), offset)

    def pause(self, parts: Iterable[Part]) -> None:
        """Leave partitions of what is followed unread until ``resume``."""
        paused = {TopicPartition(*part) for part in parts}
        with kafka_failures("pausing"):
            self._resting -= paused
            self._consumer.pause(*paused)

    def resume(self, parts: Iterable[Part]) -> None:
        """Read partitions again that were paused."""
        with kafka_failures("resuming"):
            self._consumer.resume(*(TopicPartition(*part) for part in parts))

    async def poll(self, timeout_s: float, most: int) -> list[RawRecord]:
        """Return what has come to what is followed, at most so many; none after the timeout."""
        with kafka_failures("reading"):
            await self._end_rest()
            batches = await self._consumer.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=most
            )
            found = [raw_record(record) for records in batches.values() for record in records]
            # Where as many came as were asked for, more may wait.
            if self._rest_s and 0 < len(found) < most:
                self._begin_rest()
            return found

    def _begin_rest(self) -> None:
        """Ask for nothing: the client would fetch on as soon as its records are taken."""
        self._resting = frozenset(self._consumer.assignment() - self._consumer.paused())
        self._consumer.pause(*self._resting)
        self._rested_s = asyncio.get_running_loop().time() + self._rest_s

    async def _end_rest(self) -> None:
        if self._resting:
            await asyncio.sleep(self._rested_s - asyncio.get_running_loop().time())
            self._consumer.resume(*self._resting)
            self._resting = frozenset()

    async def has_read(self, ends: Mapping[Part, int]) -> bool:
        """Tell whether reading has passed these ends; markers count as read."""
        with kafka_failures(f"asking how far {_names(ends)} are read"):
            for part, end in ends.items():
                if await self._consumer.position(TopicPartition(*part)) < end:
                    return False
        return True

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, connection: Mapping[str, Any], rest_s: float = 0.0, /, **options: Any
    ) -> AsyncIterator[Self]:
        """Give a reader of a broker.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        rest_s
            Of the reader.
        options
            Further ones of the client; as a rule it sees committed records alone.

        Raises
        ------
        TransientError
            If no broker answers.
        """
        aiokafka_batches.accept_any()
        consumer = AIOKafkaConsumer(
            **{**_AS_A_RULE, **connection, **options}, enable_auto_commit=False
        )
        async with _started(consumer, "connecting a reader"):
            yield cls(consumer, rest_s)


class AsyncMember:
    """A membership.

    Parameters
    ----------
    consumer
        Kafka's client; one that leaves partitions where they are in a rebalance.
    topic
        Full name of the topic whose partitions the group shares out.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._owned = _Owned()
        consumer.subscribe([topic], listener=self._owned)

    async def owns(self, part: Part) -> bool:
        """Wait a moment; tell whether this member has a partition.

        It polls, because a member that never does is put out; what it has is paused, and unread.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        with kafka_failures("in the group"):
            self._consumer.pause(*self._consumer.assignment())
            await self._consumer.getmany(timeout_ms=_STAY_MS)
        return part in self._owned.partitions

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, connection: Mapping[str, Any], topic: str, group_id: str, **options: Any
    ) -> AsyncIterator[Self]:
        """Join a group, and leave it in the end.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        topic
            Full name of the topic whose partitions the group shares out.
        group_id
            The group.
        options
            Further ones of the client.

        Raises
        ------
        TransientError
            If no broker answers.
        """
        consumer = AIOKafkaConsumer(
            **connection,
            group_id=group_id,
            partition_assignment_strategy=(StickyPartitionAssignor,),
            enable_auto_commit=False,
            **options,
        )
        member = cls(consumer, topic)
        async with _started(consumer, "joining the group"):
            yield member


class _Owned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Notes the outcome of each rebalance; one without another outcome changes nothing."""

    def __init__(self) -> None:
        self.partitions: frozenset[TopicPartition] = frozenset()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for the outcome."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Note the outcome."""
        self.partitions = frozenset(assigned)


@asynccontextmanager
async def _started(consumer: AIOKafkaConsumer, what: str) -> AsyncIterator[None]:
    """Start a consumer and stop it in the end; what becomes of it then matters to nobody.

    Raises
    ------
    TransientError
        If it cannot be started.
    """
    try:
        with kafka_failures(what):
            await consumer.start()
        yield
    finally:
        # In a task of its own: it swallows a cancellation that comes while it stops, and lets out
        # that of its own fetches.
        stopping = asyncio.ensure_future(consumer.stop())
        stopping.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([stopping])


def _names(parts: Iterable[Part]) -> str:
    return ", ".join(f"{topic}/{number}" for topic, number in parts)
