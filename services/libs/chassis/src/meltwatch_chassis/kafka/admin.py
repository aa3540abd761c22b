"""Create the topics of the catalogue and say where a broker differs from it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NoError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.metadata import MetadataRequest
from meltwatch_schemas.access import CLUSTER_NAME, Operation, Resource, Right
from meltwatch_schemas.topics import TopicSpec

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.talk import Talk, introduced

_TIMEOUT_MS: Final = 30_000
_WITH_IDS: Final = range(10, 13)
"""Versions of the question for metadata whose answers tell ids; since Kafka 2.8."""
_BROKERS_DEFAULT: Final = -1
_COMING: Final = (
    CoordinatorNotAvailableError,
    CoordinatorLoadInProgressError,
    NotCoordinatorError,
)
"""Whoever keeps a group's offsets is not there yet: in a new cluster, or after a broker's end."""
_COORDINATOR_NS: Final = 30 * 1_000_000_000
_COORDINATOR_PAUSE_S: Final = 0.25
_AUTO_CREATION: Final = "auto.create.topics.enable"
_MIN_ISR: Final = "min.insync.replicas"
_BROKER_RIGHT: Final = Right(Operation.DESCRIBE_CONFIGS, Resource.CLUSTER, CLUSTER_NAME)


@dataclass(frozen=True, slots=True)
class Replication:
    """How many copies each partition should have; None and -1 leave it to the broker.

    Attributes
    ----------
    factor
        Copies.
    min_isr
        Copies that must have a record before it is acknowledged.
    """

    factor: int = _BROKERS_DEFAULT
    min_isr: int | None = None


ANY_REPLICATION: Final = Replication()


def create_topics(
    connection: Mapping[str, Any],
    topics: Sequence[TopicSpec],
    replication: Replication = ANY_REPLICATION,
) -> list[str]:
    """Create those topics that are missing and return their names; others stay as they are.

    Raises
    ------
    ConfigurationError
        If the broker refuses a topic; the others are made all the same, and each one is named.
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        present = set(admin.list_topics())
        missing = {spec.name: spec for spec in topics if spec.name not in present}
        if not missing:
            return []
        answer = admin.create_topics(
            {name: _options(spec, replication) for name, spec in missing.items()},
            timeout_ms=_TIMEOUT_MS,
            raise_errors=False,
        )
        errors = {each["name"]: for_code(each["error_code"]) for each in answer["topics"]}
        created = [name for name, error in errors.items() if error is NoError]
        admin.wait_for_topics(created, timeout_ms=_TIMEOUT_MS)
        said = {each["name"]: each["error_message"] for each in answer["topics"]}
        failed = {
            name: f"{error.__name__}: {said[name]}" if said[name] else error.__name__
            for name, error in errors.items()
            if error not in (NoError, TopicAlreadyExistsError)
        }
        if failed:
            refused = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
            raise ConfigurationError(
                f"Kafka: expected to create {len(missing)} topics, created {len(created)}, "
                f"the broker refused {refused}"
            )
        return created


def missing_topics(connection: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return those topics, by full name, that do not exist or that we may not see.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    missing, hidden = unseen_topics(connection, names)
    return [name for name in names if name in {*missing, *hidden}]


def unseen_topics(
    connection: Mapping[str, Any], names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return those topics, by full name, that do not exist, and those that we may not see.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        errors = {
            topic["name"]: for_code(topic["error_code"]) for topic in _described(admin, names)
        }
    hidden = [name for name in names if errors.get(name) is TopicAuthorizationFailedError]
    there = {name for name, error in errors.items() if error is NoError}
    return [name for name in names if name not in {*there, *hidden}], hidden


def check_topics(
    connection: Mapping[str, Any],
    topics: Sequence[TopicSpec],
    replication: Replication = ANY_REPLICATION,
) -> list[str]:
    """Return one line for each way in which a broker differs from the catalogue.

    Missing topics, other partition counts, other topic settings, fewer or more copies and a
    broker that creates topics by itself are differences; so is a topic whose settings we may not
    read. More partitions than the catalogue's default are fine as long as all partitioned topics
    agree, so pass a catalogue made for the count that is meant.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        found = {topic["name"]: topic for topic in _described(admin, [s.name for s in topics])}
        problems = [_difference(spec, found.get(spec.name), replication) for spec in topics]
        known = [s for s in topics if s.name in found and not found[s.name]["error_code"]]
        problems += _setting_differences(admin, known, replication)
        creation = _broker_setting(admin)
    if creation is None:
        problems.append(f"broker: not permitted to read {_AUTO_CREATION}: expected {_BROKER_RIGHT}")
    problems.append(_auto_creation(creation))
    return [problem for problem in problems if problem]


def require_topics(connection: Mapping[str, Any], topics: Sequence[TopicSpec]) -> None:
    """Check what a service cannot do without: topics with these partitions, made by hand alone.

    Their settings are the plant's own business. A log line says if we may not ask the broker
    whether it creates topics by use.

    Raises
    ------
    ConfigurationError
        If something differs.
    DependencyUnreachable
        If the broker does not answer.
    """
    with _admin(connection) as admin:
        found = {topic["name"]: topic for topic in _described(admin, [s.name for s in topics])}
        problems = [_difference(spec, found.get(spec.name), ANY_REPLICATION) for spec in topics]
        creation = _broker_setting(admin)
    if creation is None:
        detail = f"not permitted: {_BROKER_RIGHT}"
        structlog.get_logger().info("not_checked", setting=_AUTO_CREATION, detail=detail)
    problems.append(_auto_creation(creation))
    if told := [problem for problem in problems if problem]:
        raise ConfigurationError("; ".join(told))


def topic_ids(connection: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return what Kafka calls topics beside their names: new each time a topic is made.

    A topic that is missing, or of a broker without ids, has none. It is one short conversation with
    the first broker that lets us in: services ask every few seconds.

    Raises
    ------
    ConfigurationError, DependencyUnreachable
        If no broker lets us in.
    """
    reasons: list[FatalError] = []
    for server in connection["bootstrap_servers"]:
        try:
            with introduced(server, connection) as talk:
                return _ids_told(talk, names)
        except FatalError as error:
            reasons.append(error)
    raise min(reasons, key=lambda reason: reason.exit_code)


def _ids_told(talk: Talk, names: Sequence[str]) -> dict[str, str]:
    version = min(talk.newest.get(MetadataRequest.API_KEY, 0), _WITH_IDS[-1])
    if not names or version not in _WITH_IDS:
        return {}
    request = MetadataRequest(
        version=version,
        topics=[MetadataRequest.MetadataRequestTopic(name=name) for name in names],
        allow_auto_topic_creation=False,
    )
    told = {topic.name: topic.topic_id for topic in talk.ask(request).topics}
    return {name: str(given) for name, given in told.items() if given and UUID(str(given)).int}


def group_offsets(
    connection: Mapping[str, Any], group: str
) -> dict[tuple[str, int], tuple[int, str | None]]:
    """Return what a group has committed: by topic and partition the offset and the text beside it.

    Of topics that we may not see nothing is told.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    """
    clock = SystemClock()
    end_ns = clock.monotonic_ns() + _COORDINATOR_NS
    with _admin(connection) as admin:
        while True:
            try:
                found = admin.list_group_offsets(group).get(group, {})
                break
            except _COMING as error:
                if clock.monotonic_ns() > end_ns:
                    error.add_note(f"asking for the offsets of {group}")
                    raise
                time.sleep(_COORDINATOR_PAUSE_S)
    return {(p.topic, p.partition): (each.offset, each.metadata) for p, each in found.items()}


@contextmanager
def _admin(connection: Mapping[str, Any]) -> Iterator[KafkaAdminClient]:
    with explained(connection, ()):
        admin = KafkaAdminClient(**{"request_timeout_ms": _TIMEOUT_MS, **connection})
        try:
            yield admin
        finally:
            admin.close()


def _options(spec: TopicSpec, replication: Replication) -> dict[str, Any]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": replication.factor,
        "configs": _wanted(spec, replication),
    }


def _wanted(spec: TopicSpec, replication: Replication) -> dict[str, str]:
    min_isr = {} if replication.min_isr is None else {_MIN_ISR: str(replication.min_isr)}
    return spec.config | min_isr


def _described(admin: KafkaAdminClient, names: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.describe_topics(list(names)) if names else []
    return found


def _difference(
    spec: TopicSpec, topic: Mapping[str, Any] | None, replication: Replication
) -> str | None:
    error = UnknownTopicOrPartitionError if topic is None else for_code(topic["error_code"])
    if error is UnknownTopicOrPartitionError:
        return f"{spec.name}: expected the topic, it is missing; run 'meltwatch topics create'"
    if error is TopicAuthorizationFailedError:
        right = Right(Operation.DESCRIBE, Resource.TOPIC, spec.name)
        return f"{spec.name}: expected {right}, the broker refuses it"
    if topic is None or error is not NoError:
        return f"{spec.name}: expected the topic, the broker answers {error.__name__}"
    count = len(topic["partitions"])
    if count != spec.partitions:
        return f"{spec.name}: expected {spec.partitions} partitions, got {count}"
    copies = sorted({len(part["replica_nodes"]) for part in topic["partitions"]})
    if replication.factor != _BROKERS_DEFAULT and copies != [replication.factor]:
        got = ", ".join(map(str, copies))
        return f"{spec.name}: expected replication factor {replication.factor}, got {got}"
    return None


def _setting_differences(
    admin: KafkaAdminClient, topics: Sequence[TopicSpec], replication: Replication
) -> Iterator[str]:
    wanted = {spec.name: _wanted(spec, replication) for spec in topics}
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(settings))
        for name, settings in wanted.items()
        if settings
    ]
    found = admin.describe_configs(resources, config_filter="all") if resources else {}
    for name, settings in wanted.items():
        got = found.get("topic", {}).get(name, {})
        if settings and not got:
            right = Right(Operation.DESCRIBE_CONFIGS, Resource.TOPIC, name)
            yield f"{name}: not permitted to read {', '.join(settings)}: expected {right}"
            continue
        for setting, value in settings.items():
            if setting not in got:
                yield f"{name}: expected {setting}={value}, the broker knows no such setting"
            elif got[setting]["value"] != value:
                yield f"{name}: expected {setting}={value}, got {got[setting]['value']}"


def _auto_creation(value: str | None) -> str | None:
    if value != "true":
        return None
    return f"broker: expected {_AUTO_CREATION}=false, got true: a misspelt topic would be created"


def _broker_setting(admin: KafkaAdminClient) -> str | None:
    """Return the setting of the first broker, None if we may not read it."""
    brokers = admin.describe_cluster()["brokers"]
    resource = ConfigResource(
        ConfigResourceType.BROKER, str(brokers[0]["broker_id"]), dict.fromkeys([_AUTO_CREATION])
    )
    try:
        answer = admin.describe_configs([resource], config_filter="all")
    except AuthorizationError:
        return None
    found: dict[str, Any] = next(iter(answer.get("broker", {}).values()), {})
    value: str | None = found.get(_AUTO_CREATION, {}).get("value")
    return value
