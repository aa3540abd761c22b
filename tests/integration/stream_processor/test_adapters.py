"""Adapters against the real thing: what they ask, what they say when it goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.scores import ScoreContext, make_score
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_stream_processor.adapters.kafka_range import KafkaInputRange
from meltwatch_stream_processor.adapters.kafka_scores import KafkaScoreHistory
from meltwatch_stream_processor.pipeline.delivery import score_record
from meltwatch_stream_processor.ports import TopicPartition

from tests.support.foreign_batches import bomb, send_batches
from tests.support.servers import Topics
from tests.unit.core.scoring.fakes import IDENTITY
from tests.unit.core.scoring.test_scores import WINDOW

pytestmark = pytest.mark.integration


def connection(kafka: KafkaServer) -> Mapping[str, Any]:
    return {"bootstrap_servers": [kafka.address], "security_protocol": "PLAINTEXT"}


@pytest.fixture
async def publisher(kafka: KafkaServer) -> AsyncIterator[AsyncKafkaPublisher]:
    async with AsyncKafkaPublisher(connection(kafka)) as publisher:
        yield publisher


async def test_a_record_without_key_and_value_and_header_values_can_be_published(
    publisher: AsyncKafkaPublisher, topics: Topics
) -> None:
    headers: tuple[tuple[str, bytes | None], ...] = (("empty", None), ("twice", b"1"))
    record = OutgoingRecord(topics.name(Topic.DEAD_LETTERS), None, None, headers)
    delivered = await publisher.publish(record)
    assert (delivered.partition, delivered.offset) == (0, 0)


async def test_a_dead_letter_may_be_much_larger_than_other_records(
    publisher: AsyncKafkaPublisher, topics: Topics
) -> None:
    value = b"\0" * (2 * 1024 * 1024)
    record = OutgoingRecord(topics.name(Topic.DEAD_LETTERS), b"key", value, ())
    await publisher.publish(record)
    with pytest.raises(FatalError, match="publishing to"):
        await publisher.publish(replace(record, topic=topics.name(Topic.LATE)))


async def test_history_starts_at_an_event_time_and_ends_where_the_topic_ends(
    publisher: AsyncKafkaPublisher, kafka: KafkaServer, topics: Topics
) -> None:
    names = TopicNames(topics.prefix)
    model = ScoreContext(names, IDENTITY.model, PUBLISHED_SPEC.spec_id, 0.2, frozenset())
    ends = [WINDOW.window_end_ns + step * NS_PER_S for step in range(5)]
    partition = 0
    for end_ns in ends:
        window = replace(WINDOW, window_end_ns=end_ns)
        record = score_record(make_score(window, Judgement(), model, 1, 2), names)
        partition = (await publisher.publish(record)).partition
    junk = OutgoingRecord(names.scores, b"x", b"junk", (), ends[-1] // 10**6, partition)
    await publisher.publish(junk)
    history = KafkaScoreHistory(connection(kafka), names.scores)
    found = [score.window_end_ns async for score in history.since(partition, ends[2])]
    assert found == ends[2:]
    assert [score async for score in history.since(partition, ends[-1] + NS_PER_S)] == []


async def test_history_is_read_though_the_broker_cannot_read_what_stands_first(
    kafka: KafkaServer, topics: Topics
) -> None:
    """It has no memory for a record of 1 GiB, and looks into it to find a time."""
    scores = topics.name(Topic.SCORES)
    await send_batches(kafka.address, [scores], [bomb("zstd")])
    assert [score async for score in KafkaScoreHistory(connection(kafka), scores).since(0, 0)] == []


async def test_ends_are_those_of_this_very_moment(
    publisher: AsyncKafkaPublisher, kafka: KafkaServer, topics: Topics
) -> None:
    part = TopicPartition(topics.name(Topic.EMBEDDINGS), 1)
    async with KafkaInputRange(connection(kafka)) as input_range:
        for count in range(3):
            assert await input_range.end_offsets([part]) == {part: count}
            await publisher.publish(OutgoingRecord(part.topic, b"k", b"v", (), 5, part.partition))
        assert await input_range.beginning_offsets([part]) == {part: 0}


async def test_records_are_read_at_offsets_and_markers_are_none(
    publisher: AsyncKafkaPublisher, kafka: KafkaServer, topics: Topics
) -> None:
    part = TopicPartition(topics.name(Topic.CURRENTS), 1)
    plain = OutgoingRecord(part.topic, b"k", b"v", (("h", b"1"),), 5, part.partition)
    for _ in range(2):
        await publisher.publish(plain)
    async with KafkaInputRange(connection(kafka)) as input_range:
        async with (
            AIOKafkaProducer(**connection(kafka), transactional_id=part.topic) as producer,
            producer.transaction(),
        ):
            await producer.send_and_wait(part.topic, b"within", partition=part.partition)
            (open_yet,) = await input_range.records(part, range(2, 3))
            assert open_yet.value == b"within"
        # The broker writes the marker of a transaction after it has said that it is committed.
        while await input_range.end_offsets([part]) != {part: 4}:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
        await publisher.publish(plain)
        found = await input_range.records(part, range(1, 5))
        assert [raw.offset for raw in found] == [1, 2, 4]
        assert (found[0].key, found[0].value, found[0].headers) == (b"k", b"v", (("h", b"1"),))
        assert await input_range.records(part, range(3, 4)) == []


async def test_a_cancellation_while_a_reader_stops_is_not_lost(
    kafka: KafkaServer, topics: Topics
) -> None:
    part = topics.name(Topic.SCORES), 0

    async def read(stopping: asyncio.Event) -> None:
        async with AsyncReader.connected(connection(kafka)) as reader:
            await reader.end(*part)
            stopping.set()

    for steps in range(5):
        reading = asyncio.create_task(read(stopping := asyncio.Event()))
        await stopping.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        assert not reading.done()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=10.0)
