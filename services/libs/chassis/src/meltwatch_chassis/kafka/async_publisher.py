"""Records to any topic, each awaited: aiokafka's idempotent producer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError
from meltwatch_schemas.record import OutgoingRecord

from meltwatch_chassis.kafka.errors import broker_expected, kafka_failures
from meltwatch_chassis.kafka.record import Delivered, sent

# A dead letter holds a record that other limits let through; its topic takes 8 MiB.
_MAX_REQUEST_BYTES: Final = 8 * 1024 * 1024
_METADATA_AGE_MS: Final = 5_000


class AsyncKafkaPublisher:
    """Publishes with ``acks=all`` and idempotence, so that retries keep the order.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._producer = AIOKafkaProducer(
            **connection,
            acks="all",
            enable_idempotence=True,
            # Each window is awaited: lingering would only delay it.
            linger_ms=0,
            max_request_size=_MAX_REQUEST_BYTES,
            # A key's partition depends on how many there are; by default that is old news.
            metadata_max_age_ms=_METADATA_AGE_MS,
        )

    async def __aenter__(self) -> Self:
        with broker_expected("connecting a publisher"):
            try:
                await self._producer.start()
            except BaseException:
                await self._producer.stop()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def partition_count(self, topic: str) -> int:
        """Return how many partitions an existing topic has."""
        return len(await self._producer.partitions_for(topic))

    async def publish(self, record: OutgoingRecord) -> Delivered:
        """Return once every in-sync replica has the record.

        Raises
        ------
        TransientError
            If it may succeed later.
        FatalError
            If it never will: no such topic, not authorised, too large.
        """
        with kafka_failures(f"publishing to {record.topic}", sending=True):
            placed = await self._placed(record)
        return Delivered(placed.partition, placed.offset, placed.timestamp)

    async def _placed(self, record: OutgoingRecord) -> Any:
        try:
            return await self._producer.send_and_wait(**sent(record))
        except InvalidTimestampError:
            # The broker's clock lets nobody write so far ahead: better under its time than never.
            return await self._producer.send_and_wait(**sent(replace(record, timestamp_ms=None)))

    async def flush(self) -> None:
        """Wait until no record is on its way any more."""
        await self._producer.flush()
