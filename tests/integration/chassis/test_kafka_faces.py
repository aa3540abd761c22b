"""Two clients, the same verbs: what either writes, each of the readers reads alike."""

import asyncio
from dataclasses import replace

import pytest
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.access import TopicMissing, explained
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

from tests.support.kafka_faces import PART, WRITES, Write, exchange
from tests.support.servers import Topics

pytestmark = pytest.mark.integration

NOON_MS = 1_700_000_000_000


@pytest.mark.parametrize("write", WRITES)
async def test_what_either_writes_all_read_alike(
    write: Write, kafka: KafkaServer, topics: Topics
) -> None:
    connection = {"bootstrap_servers": [kafka.address], "security_protocol": "PLAINTEXT"}
    await exchange(write, connection, topics.name(Topic.SCORES), NOON_MS)


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
    name = topics.name(Topic.SCORES)
    connection = {"bootstrap_servers": [kafka.address]}
    record = OutgoingRecord(name, b"k", b"\0" * 9 * 1024 * 1024, (), None, PART)
    async with AsyncKafkaPublisher(connection) as publisher:
        with pytest.raises(FatalError, match=f"publishing to {name}"):
            await publisher.publish(record)

    def write() -> None:
        with explained(connection, ()), Writer.connected(connection) as writer:
            writer.write([record], 30.0)

    with pytest.raises(FatalError, match=f"Kafka, writing to {name}/{PART}: expected an answer"):
        await asyncio.to_thread(write)
