"""What stands in the input partitions, behind the ``InputRange`` port.

Clients of its own: asked through the consumer that fetches, a question waits behind the long
poll of its connection, up to 1.5 s.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.errors import broker_expected
from meltwatch_chassis.kafka.record import told
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.ports import TopicPartition

_AS_FAUST: Final = {"isolation_level": "read_uncommitted"}
"""Offsets are those of the consumer beneath Faust: what a transaction keeps open counts, too."""


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
        opening = AsyncReader.connected(self._connection, **_AS_FAUST)
        with broker_expected("connecting a reader"):
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
        return _named(await self._reader.ends(partitions))

    async def records(self, partition: TopicPartition, offsets: range) -> Sequence[RawRecord]:
        """Return the records that stand at these offsets, in their order.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        async with AsyncReader.connected(self._connection, **_AS_FAUST) as reader:
            return [told(record) async for record in reader.read(*partition, offsets)]


def _named(offsets: Mapping[tuple[str, int], int]) -> dict[TopicPartition, int]:
    return {TopicPartition(*part): offset for part, offset in offsets.items()}
