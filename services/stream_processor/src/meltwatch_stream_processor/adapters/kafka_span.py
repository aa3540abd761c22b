"""A stretch of one partition, read to its end by a consumer without a group."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

_POLL_MS: Final = 1_000


@asynccontextmanager
async def reader(
    connection: Mapping[str, Any], part: TopicPartition
) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer that has one partition; what retention took is passed over."""
    consumer = AIOKafkaConsumer(
        **connection, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        consumer.assign([part])
        yield consumer
    finally:
        # In a task of its own: it swallows a cancellation that comes while it stops, and lets out
        # that of its own fetches. What becomes of it matters to nobody.
        stopping = asyncio.ensure_future(consumer.stop())
        stopping.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([stopping])


async def read_span(
    consumer: AIOKafkaConsumer, part: TopicPartition, offsets: range
) -> AsyncIterator[ConsumerRecord]:
    """Yield the records at these offsets."""
    consumer.seek(part, offsets.start)
    # Positions, not records, tell the end: markers and retention leave gaps between offsets.
    while await consumer.position(part) < offsets.stop:
        batches: Mapping[TopicPartition, Iterable[ConsumerRecord]] = await consumer.getmany(
            part, timeout_ms=_POLL_MS
        )
        for record in batches.get(part, ()):
            if record.offset < offsets.stop:
                yield record
