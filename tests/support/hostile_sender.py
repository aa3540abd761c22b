"""Writes hostile records to a real broker, as no well-behaved client would."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from meltwatch_schemas.topics import Topic

from tests.support.hostile_wire import HostileRecord

_MAX_BATCH = 1024 * 1024


def send_hostile(
    address: str, prefix: str, records: Iterable[HostileRecord], partition: int = 0
) -> dict[tuple[Topic, int], HostileRecord]:
    """Write records one by one into a partition of their topic.

    Returns
    -------
    Topic and offset where each stands; without what the broker itself refuses, such as a null key
    where it compacts.
    """
    return asyncio.run(_send(address, prefix, records, partition))


async def _send(
    address: str, prefix: str, records: Iterable[HostileRecord], partition: int
) -> dict[tuple[Topic, int], HostileRecord]:
    stands: dict[tuple[Topic, int], HostileRecord] = {}
    async with AIOKafkaProducer(bootstrap_servers=address, max_batch_size=_MAX_BATCH) as producer:
        for record in records:
            # The batch API writes what ``send`` refuses: a record with neither key nor value.
            batch = producer.create_batch()
            headers = list(record.headers)
            batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
            try:
                written = await (
                    await producer.send_batch(
                        batch, record.topic.under(prefix), partition=partition
                    )
                )
            except KafkaError:
                continue
            stands[record.topic, written.offset] = record
    return stands
