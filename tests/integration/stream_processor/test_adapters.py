"""Adapters against the real thing: what they ask, what they say when it goes wrong."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.settings import TritonSettings
from meltwatch_local_cluster.addresses import free_ports
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_stream_processor.adapters.kafka_publisher import KafkaPublisher
from meltwatch_stream_processor.adapters.kafka_range import KafkaInputRange
from meltwatch_stream_processor.adapters.kafka_scores import KafkaScoreHistory
from meltwatch_stream_processor.adapters.triton_scorer import TritonScorer
from meltwatch_stream_processor.pipeline.judge import Judgement
from meltwatch_stream_processor.pipeline.records import score_record
from meltwatch_stream_processor.pipeline.scores import ScoreContext, make_score
from meltwatch_stream_processor.pipeline.topics import TopicNames
from meltwatch_stream_processor.ports import OutgoingRecord, TopicPartition

from tests.support.servers import Topics
from tests.unit.stream_processor.pipeline.fakes import IDENTITY
from tests.unit.stream_processor.pipeline.test_scores import WINDOW

pytestmark = pytest.mark.integration

WHOLE = replace(
    WINDOW,
    clip=np.zeros((10, 64, 192), np.float16),
    currents_a=np.full((240, 3), 40_000, np.float32),
)


def connection(kafka: KafkaServer) -> Mapping[str, Any]:
    return {"bootstrap_servers": [kafka.address], "security_protocol": "PLAINTEXT"}


@pytest.fixture
async def publisher(kafka: KafkaServer) -> AsyncIterator[KafkaPublisher]:
    async with KafkaPublisher(connection(kafka)) as publisher:
        yield publisher


@pytest.fixture
async def scorer(triton: TritonServer) -> AsyncIterator[TritonScorer]:
    settings = TritonSettings(triton=triton.address)
    async with TritonScorer(settings, PUBLISHED_SPEC, deadline_s=60.0) as scorer:
        yield scorer


async def test_the_ensemble_says_who_it_is_and_answers(scorer: TritonScorer) -> None:
    identity = await scorer.identify()
    verdict = await scorer.score(WHOLE)
    assert identity.model.name == "fmformer"
    assert len(verdict.member_logits) >= 1
    assert verdict.anomaly_map.shape == (64, 64)


async def test_what_an_absent_modality_holds_does_not_matter(scorer: TritonScorer) -> None:
    await scorer.identify()
    verdict = await scorer.score(replace(WHOLE, clip=None))
    assert np.isfinite(verdict.logit)


async def test_a_window_of_another_shape_is_refused_for_good(scorer: TritonScorer) -> None:
    await scorer.identify()
    with pytest.raises(ContractViolation, match=r"scoring_rejected.*unexpected shape"):
        await scorer.score(replace(WHOLE, clip=np.zeros((9, 64, 192), np.float16)))


async def test_a_scorer_that_is_away_is_worth_another_try() -> None:
    settings = TritonSettings(triton=f"127.0.0.1:{free_ports(1)[0]}")
    async with TritonScorer(settings, PUBLISHED_SPEC, deadline_s=5.0) as scorer:
        with pytest.raises(TransientError, match="UNAVAILABLE"):
            await scorer.identify()


async def test_a_record_without_key_and_value_and_header_values_can_be_published(
    publisher: KafkaPublisher, topics: Topics
) -> None:
    headers: tuple[tuple[str, bytes | None], ...] = (("empty", None), ("twice", b"1"))
    record = OutgoingRecord(topics.name(Topic.DEAD_LETTERS), None, None, headers)
    delivered = await publisher.publish(record)
    assert (delivered.partition, delivered.offset) == (0, 0)


async def test_a_dead_letter_may_be_much_larger_than_other_records(
    publisher: KafkaPublisher, topics: Topics
) -> None:
    value = b"\0" * (2 * 1024 * 1024)
    record = OutgoingRecord(topics.name(Topic.DEAD_LETTERS), b"key", value, ())
    await publisher.publish(record)
    with pytest.raises(FatalError, match="publishing to"):
        await publisher.publish(replace(record, topic=topics.name(Topic.LATE)))


async def test_history_starts_at_an_event_time_and_ends_where_the_topic_ends(
    publisher: KafkaPublisher, kafka: KafkaServer, topics: Topics
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


async def test_ends_are_those_of_this_very_moment(
    publisher: KafkaPublisher, kafka: KafkaServer, topics: Topics
) -> None:
    part = TopicPartition(topics.name(Topic.EMBEDDINGS), 1)
    async with KafkaInputRange(connection(kafka)) as input_range:
        for count in range(3):
            assert await input_range.end_offsets([part]) == {part: count}
            await publisher.publish(OutgoingRecord(part.topic, b"k", b"v", (), 5, part.partition))
        assert await input_range.beginning_offsets([part]) == {part: 0}
