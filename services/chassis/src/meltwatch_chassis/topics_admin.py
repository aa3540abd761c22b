"""Create the topics of the catalogue and say where a broker differs from it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from meltwatch_schemas.topics import TopicSpec

from meltwatch_chassis.errors import DependencyUnreachable

_TIMEOUT_MS: Final = 30_000


def create_topics(
    connection: Mapping[str, Any], topics: Sequence[TopicSpec], replication_factor: int = 1
) -> list[str]:
    """Create those topics that are missing and return their names; others stay as they are.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or refuses.
    """
    with _admin(connection) as admin:
        present = set(admin.list_topics())
        missing = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": replication_factor,
                "configs": spec.config,
            }
            for spec in topics
            if spec.name not in present
        }
        if missing:
            admin.create_topics(missing, timeout_ms=_TIMEOUT_MS, wait_for_metadata=True)
        return list(missing)


def missing_topics(connection: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return those topics, by full name, that do not exist.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        present = set(admin.list_topics())
    return [name for name in names if name not in present]


def check_topics(connection: Mapping[str, Any], topics: Sequence[TopicSpec]) -> list[str]:
    """Return one line for each way in which a broker differs from the catalogue.

    Missing topics, other partition counts, other topic settings and a broker that creates
    topics by itself are differences. More partitions than the catalogue's default are fine as
    long as all partitioned topics agree, so pass a catalogue made for the count that is meant.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        present = {
            topic["name"]: len(topic["partitions"])
            for topic in admin.describe_topics()
            if topic.get("error_code", 0) == 0
        }
        problems = [_difference(spec, present.get(spec.name)) for spec in topics]
        known = [spec for spec in topics if spec.name in present]
        problems += _setting_differences(admin, known)
        problems += _auto_creation(admin)
    return [problem for problem in problems if problem]


@contextmanager
def _admin(connection: Mapping[str, Any]) -> Iterator[KafkaAdminClient]:
    servers = ",".join(connection["bootstrap_servers"])
    try:
        admin = KafkaAdminClient(**connection, request_timeout_ms=_TIMEOUT_MS)
    except KafkaError as error:
        raise DependencyUnreachable(
            f"Kafka: expected a broker at {servers}, got {error!r}"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise DependencyUnreachable(f"Kafka at {servers}: {error!r}") from error
    finally:
        admin.close()


def _difference(spec: TopicSpec, partitions: int | None) -> str | None:
    if partitions is None:
        return f"{spec.name}: expected the topic, it is missing; run 'meltwatch topics create'"
    if partitions != spec.partitions:
        return f"{spec.name}: expected {spec.partitions} partitions, got {partitions}"
    return None


def _setting_differences(admin: KafkaAdminClient, topics: Sequence[TopicSpec]) -> list[str]:
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(spec.config))
        for spec in topics
    ]
    if not resources:
        return []
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    return [
        f"{spec.name}: expected {name}={value}, got {found[spec.name][name]['value']}"
        for spec in topics
        for name, value in spec.config.items()
        if found[spec.name][name]["value"] != value
    ]


def _auto_creation(admin: KafkaAdminClient) -> list[str]:
    name = "auto.create.topics.enable"
    brokers = admin.describe_cluster()["brokers"]
    resource = ConfigResource(
        ConfigResourceType.BROKER, str(brokers[0]["broker_id"]), dict.fromkeys([name])
    )
    (settings,) = admin.describe_configs([resource], config_filter="all")["broker"].values()
    if settings[name]["value"] == "true":
        return [f"broker: expected {name}=false, got true: a misspelt topic would be created"]
    return []
