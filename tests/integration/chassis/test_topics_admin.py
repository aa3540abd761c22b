"""Topics on a real broker: made from the catalogue, compared with it."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient
from meltwatch_chassis.topics_admin import check_topics, create_topics, missing_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import Topic, TopicSpec, catalogue

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def specs(kafka: KafkaServer) -> Iterator[tuple[TopicSpec, ...]]:
    wanted = catalogue(f"admin{secrets.token_hex(4)}", 3)
    yield wanted
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        present = set(admin.list_topics())
        admin.delete_topics([spec.name for spec in wanted if spec.name in present])


def test_the_catalogue_is_created_once_and_then_holds(
    kafka: KafkaServer, specs: tuple[TopicSpec, ...]
) -> None:
    connection = {"bootstrap_servers": [kafka.address]}

    assert create_topics(connection, specs) == [spec.name for spec in specs]
    assert create_topics(connection, specs) == []
    assert check_topics(connection, specs) == []


def test_each_difference_is_one_line(kafka: KafkaServer, specs: tuple[TopicSpec, ...]) -> None:
    connection = {"bootstrap_servers": [kafka.address]}
    by_topic = {spec.topic: spec for spec in specs}
    late, scores = by_topic.pop(Topic.LATE), by_topic[Topic.SCORES]
    strange = replace(scores, partitions=2, config=scores.config | {"retention.ms": "1000"})
    create_topics(connection, [*(by_topic | {Topic.SCORES: strange}).values()])

    assert check_topics(connection, specs) == [
        f"{scores.name}: expected 3 partitions, got 2",
        f"{late.name}: expected the topic, it is missing; run 'meltwatch topics create'",
        f"{scores.name}: expected retention.ms={scores.config['retention.ms']}, got 1000",
    ]
    assert missing_topics(connection, [spec.name for spec in specs]) == [late.name]
