"""Records as Kafka's clients give them, in the contract's own form."""

from typing import Any

import structlog
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.text import escaped
from meltwatch_schemas.unread import UnreadBatch


def raw_record(record: Any) -> RawRecord:
    """Return a record consumed by kafka-python or aiokafka, which name its parts alike."""
    return RawRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )


def told(record: RawRecord) -> RawRecord:
    """Return a record; the log tells of one that stands for a batch that was not read."""
    if isinstance(unread := record.value, UnreadBatch):
        structlog.get_logger().error(
            "batch_not_read",
            topic=record.topic,
            partition=record.partition,
            first=unread.first,
            last=unread.last,
            error=unread.reason.value,
            detail=escaped(unread.detail),
        )
    return record
