"""Topics on a real broker: made from the catalogue, compared with it."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.admin import (
    Replication,
    check_topics,
    create_topics,
    missing_topics,
    require_topics,
    unseen_topics,
)
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import Topic, TopicSpec, catalogue

from tests.support.waiting import until

pytestmark = pytest.mark.integration


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


def test_copies_that_a_plant_wants_are_made_and_checked(
    kafka: KafkaServer, specs: tuple[TopicSpec, ...]
) -> None:
    connection = {"bootstrap_servers": [kafka.address]}
    create_topics(connection, specs, Replication(1, 1))

    assert check_topics(connection, specs, Replication(1, 1)) == []
    told = check_topics(connection, specs, Replication(3, 2))
    for spec in specs:
        assert f"{spec.name}: expected replication factor 3, got 1" in told
        assert f"{spec.name}: expected min.insync.replicas=2, got 1" in told
    assert len(told) == 2 * len(specs)


def test_a_topic_that_the_broker_refuses_is_named_and_the_others_are_made(
    kafka: KafkaServer, specs: tuple[TopicSpec, ...]
) -> None:
    connection = {"bootstrap_servers": [kafka.address]}
    good, *others = specs
    bad = [replace(spec, config={"retention.ms": "much"}) for spec in others[:2]]

    with pytest.raises(ConfigurationError) as refused:
        create_topics(connection, [good, *bad])

    said = str(refused.value)
    assert "expected to create 3 topics, created 1, the broker refused" in said
    assert all(f"{spec.name}: InvalidConfigurationError" in said for spec in bad)
    assert unseen_topics(connection, [good.name, bad[0].name]) == ([bad[0].name], [])


def test_partitions_added_in_mid_run_are_told_topic_by_topic(
    kafka: KafkaServer, specs: tuple[TopicSpec, ...]
) -> None:
    connection = {"bootstrap_servers": [kafka.address]}
    create_topics(connection, specs)
    shared = [spec for spec in specs if spec.partitions == 3]
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.create_partitions({spec.name: 6 for spec in shared})

    told = [f"{spec.name}: expected 3 partitions, got 6" for spec in shared]
    # A broker hears of it a moment later.
    until(lambda: check_topics(connection, specs) == told, lambda: check_topics(connection, specs))
    with pytest.raises(ConfigurationError, match="expected 3 partitions, got 6"):
        require_topics(connection, specs)
