"""Two clients, the same verbs: what either writes, each of the readers reads alike."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.access import TopicMissing
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

from tests.support.servers import Topics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PART = 1
NOON_MS = 1_700_000_000_000
HEADERS = (("schema", b"score/1.0"), ("twice", b"1"), ("twice", b"2"), ("empty", b""))
BODIES: Sequence[tuple[bytes | None, bytes | None]] = (
    (b"k", b"v"),
    (b"k", None),
    (None, b"v"),
    (None, None),
)
Write = Callable[[dict[str, Any], Sequence[OutgoingRecord]], Coroutine[Any, Any, None]]


async def by_kafka_python(connection: dict[str, Any], records: Sequence[OutgoingRecord]) -> None:
    def write() -> None:
        with Writer.connected(connection, acks="all") as writer:
            writer.write(records, 30.0)

    await asyncio.to_thread(write)


async def by_aiokafka(connection: dict[str, Any], records: Sequence[OutgoingRecord]) -> None:
    async with AsyncKafkaPublisher(connection) as publisher:
        for record in records:
            await publisher.publish(record)


@pytest.mark.parametrize("write", [by_kafka_python, by_aiokafka])
async def test_what_either_writes_all_read_alike(
    write: Write, kafka: KafkaServer, topics: Topics
) -> None:
    name = topics.name(Topic.SCORES)
    connection = {"bootstrap_servers": [kafka.address], "security_protocol": "PLAINTEXT"}
    sent = [
        OutgoingRecord(name, key, value, HEADERS, NOON_MS + number, PART)
        for number, (key, value) in enumerate(BODIES)
    ]
    await write(connection, sent)
    expected = [
        RawRecord(name, PART, number, NOON_MS + number, record.key, value, HEADERS)
        for number, (record, value) in enumerate(zip(sent, (b"v", None, b"v", b""), strict=True))
    ]

    async with AsyncReader.connected(connection) as reader:
        assert await reader.first_offset(name, PART) == 0
        assert await reader.end(name, PART) == 4
        assert await reader.offset_near(name, PART, NOON_MS + 2) == 2
        assert await reader.offset_near(name, PART, NOON_MS + 9) is None
        assert [record async for record in reader.read(name, PART, range(1, 3))] == expected[1:3]
        assert [record async for record in reader.read(name, PART, range(4))] == expected

    def read() -> list[RawRecord]:
        with SpanReader.connected(connection) as reader:
            assert (reader.first_offset(name, PART), reader.end(name, PART)) == (0, 4)
            assert reader.offset_of(name, PART, NOON_MS + 2) == 2
            assert reader.offset_of(name, PART, NOON_MS + 9) is None
            assert list(reader.read(name, PART, 1, 3)) == expected[1:3]
            return list(reader.read(name, PART, 0, 4))

    assert await asyncio.to_thread(read) == expected


def test_a_follower_begins_at_a_time_or_with_what_comes(kafka: KafkaServer, topics: Topics) -> None:
    name = topics.name(Topic.SCORES)
    connection = {"bootstrap_servers": [kafka.address]}
    old = OutgoingRecord(name, b"k", b"old", (), NOON_MS, PART)
    new = replace(old, value=b"new", timestamp_ms=NOON_MS + 1)
    with Writer.connected(connection) as writer, Follower.connected(connection) as follower:
        assert follower.partitions(name) == [0, 1, 2]
        with pytest.raises(TopicMissing):
            follower.partitions("nobody")
        writer.write([old], 30.0)
        follower.read_from({(name, PART): None})
        writer.write([new], 30.0)
        assert values(follower, 1) == [b"new"]
        follower.read_from({(name, PART): NOON_MS})
        assert values(follower, 2) == [b"old", b"new"]


def values(follower: Follower, count: int) -> list[object]:
    found: list[RawRecord] = []
    while len(found) < count:
        found += follower.poll(200)
    return [record.value for record in found]


async def test_what_never_will_be_taken_is_fatal(kafka: KafkaServer, topics: Topics) -> None:
    record = OutgoingRecord(topics.name(Topic.SCORES), b"k", b"\0" * 9 * 1024 * 1024, ())
    async with AsyncKafkaPublisher({"bootstrap_servers": [kafka.address]}) as publisher:
        with pytest.raises(FatalError, match="publishing to"):
            await publisher.publish(record)
