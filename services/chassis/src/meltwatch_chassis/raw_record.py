"""Records as Kafka's clients give them, in the contract's own form."""

from typing import Any

from meltwatch_schemas.record import RawRecord


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
