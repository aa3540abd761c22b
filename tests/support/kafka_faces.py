"""Two clients, the same verbs: what either writes, each of the readers reads alike."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.record import OutgoingRecord, RawRecord

PART = 1
_HEADERS = (
    ("schema", b"score/1.0"), ("twice", b"1"), ("twice", b"2"), ("empty", b""), ("none", None),
)  # fmt: skip
_BODIES: Sequence[tuple[bytes | None, bytes | None]] = (
    (b"k", b"v"),
    (b"k", None),
    (None, b"v"),
    (None, None),
)
_READ = (b"v", None, b"v", b"")
"""The clients refuse a record without key and value; Kafka does not tell none from empty."""
Connection = dict[str, Any]
Write = Callable[[Connection, Sequence[OutgoingRecord]], Coroutine[Any, Any, None]]


async def by_kafka_python(connection: Connection, records: Sequence[OutgoingRecord]) -> None:
    """Write records as commands do."""

    def write() -> None:
        with Writer.connected(connection, acks="all") as writer:
            writer.write(records, 30.0)

    await asyncio.to_thread(write)


async def by_aiokafka(connection: Connection, records: Sequence[OutgoingRecord]) -> None:
    """Write records as services do."""
    async with AsyncKafkaPublisher(connection) as publisher:
        for record in records:
            await publisher.publish(record)


WRITES: Sequence[Write] = (by_kafka_python, by_aiokafka)


def _read_headers(write: Write) -> tuple[tuple[str, bytes | None], ...]:
    """Return what is read: kafka-python gives a header without content an empty one."""
    return tuple((k, b"" if v is None and write is by_kafka_python else v) for k, v in _HEADERS)


async def exchange(write: Write, connection: Connection, name: str, time_ms: int) -> None:
    """Write records of every kind behind a topic's end, and have both readers read them."""
    headers = _read_headers(write)
    async with AsyncReader.connected(connection) as reader:
        first = await reader.end(name, PART)
        await write(
            connection,
            [
                OutgoingRecord(name, key, value, _HEADERS, time_ms + number, PART)
                for number, (key, value) in enumerate(_BODIES)
            ],
        )
        expected = [
            RawRecord(name, PART, first + number, time_ms + number, key, value, headers)
            for number, ((key, _), value) in enumerate(zip(_BODIES, _READ, strict=True))
        ]
        last = first + len(expected)
        assert await reader.end(name, PART) == last
        assert await reader.offset_near(name, PART, time_ms + 2) == first + 2
        assert await reader.offset_near(name, PART, time_ms + 9) is None
        middle = reader.read(name, PART, range(first + 1, first + 3))
        assert [record async for record in middle] == expected[1:3]
        whole = reader.read(name, PART, range(first, last))
        assert [record async for record in whole] == expected
    assert await asyncio.to_thread(_read, connection, name, time_ms, first) == expected


def _read(connection: Connection, name: str, time_ms: int, first: int) -> list[RawRecord]:
    with SpanReader.connected(connection) as reader:
        assert reader.end(name, PART) == first + len(_BODIES)
        assert reader.offset_of(name, PART, time_ms + 2) == first + 2
        assert reader.offset_of(name, PART, time_ms + 9) is None
        records = list(reader.read(name, PART, first, first + len(_BODIES)))
        assert list(reader.read(name, PART, first + 1, first + 3)) == records[1:3]
        return records
