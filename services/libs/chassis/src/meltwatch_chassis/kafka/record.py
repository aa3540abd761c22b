"""Records as Kafka's clients give and take them, and as the contract has them."""

from typing import Any, NamedTuple

import structlog
from meltwatch_schemas.record import OutgoingRecord, RawRecord
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


class Delivered(NamedTuple):
    """Where a published record stands."""

    partition: int
    offset: int
    timestamp_ms: int


def sent(record: OutgoingRecord) -> dict[str, Any]:
    """Return the arguments with which a producer of aiokafka sends a record.

    Both clients refuse one without key and value; Kafka itself does not tell none from empty.
    """
    nothing = record.key is None and record.value is None
    return {
        "topic": record.topic,
        "key": record.key,
        "value": b"" if nothing else record.value,
        "headers": list(record.headers),
        "timestamp_ms": record.timestamp_ms,
        "partition": record.partition,
    }


def sent_by_kafka_python(record: OutgoingRecord) -> dict[str, Any]:
    """Return the arguments for kafka-python, which takes no header without content."""
    return sent(record) | {"headers": [(name, value or b"") for name, value in record.headers]}


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
