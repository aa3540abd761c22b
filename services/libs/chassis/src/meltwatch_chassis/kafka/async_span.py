"""Reads stretches of a partition, as ``span`` does, for asyncio: aiokafka without a group."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import UnknownError
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.kafka.record import raw_record

_POLL_MS: Final = 1_000
_EARLIER_MS: Final = (0, 10_000, 1_000_000, 100_000_000)
_log = structlog.get_logger()


class AsyncSpanReader:
    """Reads without a group, one stretch at a time; what retention took is passed over.

    A partition is named by its topic and number. Errors are the client's own.

    Parameters
    ----------
    consumer
        Kafka's client.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def begins(self, parts: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """Return the oldest offsets that Kafka still has."""
        asked = [TopicPartition(*part) for part in parts]
        found: Mapping[tuple[str, int], int] = await self._consumer.beginning_offsets(asked)
        return found

    async def ends(self, parts: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """Return the offsets that come next, as they are now, never from a cache."""
        asked = [TopicPartition(*part) for part in parts]
        found: Mapping[tuple[str, int], int] = await self._consumer.end_offsets(asked)
        return found

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
            try:
                found = await self._consumer.offsets_for_times({part: max(time_ms - earlier_ms, 0)})
            except UnknownError:
                _log.warning("broker_finds_no_time", topic=topic, partition=partition)
            else:
                return None if found[part] is None else int(found[part].offset)
        return await self.first_offset(topic, partition)

    async def read(self, topic: str, partition: int, offsets: range) -> AsyncIterator[RawRecord]:
        """Yield the records at these offsets of a partition that ``connected`` was told of."""
        part = TopicPartition(topic, partition)
        self._consumer.seek(part, offsets.start)
        # Positions, not records, tell the end: markers and retention leave gaps between offsets.
        while await self._consumer.position(part) < offsets.stop:
            batches: Mapping[TopicPartition, Iterable[ConsumerRecord]]
            batches = await self._consumer.getmany(part, timeout_ms=_POLL_MS)
            for record in batches.get(part, ()):
                if record.offset < offsets.stop:
                    yield raw_record(record)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, connection: Mapping[str, Any], parts: Iterable[tuple[str, int]] = ()
    ) -> AsyncIterator[Self]:
        """Give a reader of a broker.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        parts
            Partitions that will be read; ends and beginnings may be asked of all.
        """
        consumer = AIOKafkaConsumer(
            **connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            if assigned := [TopicPartition(*part) for part in parts]:
                consumer.assign(assigned)
            yield cls(consumer)
        finally:
            # In a task of its own: it swallows a cancellation that comes while it stops, and lets
            # out that of its own fetches. What becomes of it matters to nobody.
            stopping = asyncio.ensure_future(consumer.stop())
            stopping.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([stopping])
