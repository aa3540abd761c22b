"""What stands in the input partitions, behind the ``InputRange`` port.

Clients of its own: asked through the consumer that fetches, a question waits behind the long
poll of its connection, up to 1.5 s.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Self

from meltwatch_chassis.kafka.async_span import AsyncSpanReader
from meltwatch_chassis.kafka.errors import broker_expected, kafka_errors
from meltwatch_chassis.kafka.record import told
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.ports import TopicPartition


class KafkaInputRange:
    """Asks a broker for beginning and end offsets.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = connection
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Self:
        with broker_expected():
            opening = AsyncSpanReader.connected(self._connection)
            self._reader = await self._clients.enter_async_context(opening)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._clients.aclose()

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the oldest offsets that Kafka still has.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        with _failures():
            return _named(await self._reader.begins(partitions))

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the end offsets as they are at the time of the call, never from a cache.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        with _failures():
            return _named(await self._reader.ends(partitions))

    async def records(self, partition: TopicPartition, offsets: range) -> Sequence[RawRecord]:
        """Return the records that stand at these offsets, in their order.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        with _failures():
            async with AsyncSpanReader.connected(self._connection, [partition]) as reader:
                found = [record async for record in reader.read(*partition, offsets)]
        return [told(record) for record in found]


def _failures() -> AbstractContextManager[None]:
    return kafka_errors("Kafka offsets")


def _named(offsets: Mapping[tuple[str, int], int]) -> dict[TopicPartition, int]:
    return {TopicPartition(*part): offset for part, offset in offsets.items()}
