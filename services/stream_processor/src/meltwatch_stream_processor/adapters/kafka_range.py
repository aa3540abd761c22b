"""What stands in the input partitions, behind the ``InputRange`` port.

Clients of its own: asked through the consumer that fetches, a question waits behind the long
poll of its connection, up to 1.5 s.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import KafkaError
from meltwatch_chassis.errors import DependencyUnreachable, TransientError
from meltwatch_chassis.kafka.record import raw_record, told
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.adapters.kafka_span import read_span, reader
from meltwatch_stream_processor.ports import TopicPartition

_Ask = Callable[[list[KafkaTopicPartition]], Awaitable[Mapping[KafkaTopicPartition, int]]]


class KafkaInputRange:
    """Asks a broker for beginning and end offsets.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = connection
        self._client = AIOKafkaConsumer(**connection, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        try:
            await self._client.start()
        except KafkaError as error:
            await self._client.stop()
            raise DependencyUnreachable(f"Kafka: expected a broker, got {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.stop()

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the oldest offsets that Kafka still has.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        return await _asked(self._client.beginning_offsets, partitions)

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the end offsets as they are at the time of the call, never from a cache.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        return await _asked(self._client.end_offsets, partitions)

    async def records(self, partition: TopicPartition, offsets: range) -> Sequence[RawRecord]:
        """Return the records that stand at these offsets, in their order.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        part = KafkaTopicPartition(*partition)
        try:
            async with reader(self._connection, part) as consumer:
                found = [raw_record(record) async for record in read_span(consumer, part, offsets)]
        except KafkaError as error:
            raise _transient(error) from error
        return [told(record) for record in found]


async def _asked(ask: _Ask, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
    try:
        offsets = await ask([KafkaTopicPartition(*part) for part in partitions])
    except KafkaError as error:
        raise _transient(error) from error
    return {TopicPartition(*part): offset for part, offset in offsets.items()}


def _transient(error: KafkaError) -> TransientError:
    return TransientError(f"Kafka offsets: {type(error).__name__}: {error}")
