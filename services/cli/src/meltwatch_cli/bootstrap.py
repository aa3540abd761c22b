"""Puts a command's parts together; clients are imported here, when a command needs them.

Kafka's and Redis's clients take half a second each to import: ``--help`` must not pay for them.
"""
# ruff: noqa: PLC0415 - see above

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.topics import TopicSpec, catalogue

from meltwatch_cli.settings import Settings

PATIENCE_S: Final = 5
"""How long to look for a broker: a person waits for the answer."""

if TYPE_CHECKING:
    from meltwatch_chassis.kafka.admin import Replication

    from meltwatch_cli.adapters.kafka_alarms import AlarmTopics
    from meltwatch_cli.adapters.kafka_dead_letters import DeadLetterTopic, Send
    from meltwatch_cli.adapters.kafka_points import PointTopic
    from meltwatch_cli.adapters.kafka_state import KafkaState
    from meltwatch_cli.adapters.kafka_traces import TraceTopics
    from meltwatch_cli.adapters.otlp import Collector
    from meltwatch_cli.adapters.redis_view import RedisAlarmReader


def alarm_topics(
    settings: Settings, patience_s: int = PATIENCE_S
) -> "AbstractContextManager[AlarmTopics]":
    """Give access to the alarm topics; see ``adapters.kafka_alarms``."""
    from meltwatch_cli.adapters.kafka_alarms import open_alarm_topics

    return open_alarm_topics(_connection(settings, patience_s), settings.topic_prefix)


def point_topic(settings: Settings) -> "AbstractContextManager[PointTopic]":
    """Give access to the topic of alarm points; see ``adapters.kafka_points``."""
    from meltwatch_cli.adapters.kafka_points import open_point_topic

    return open_point_topic(_connection(settings), settings.topic_prefix)


def state(settings: Settings, principal: Principal) -> "AbstractContextManager[KafkaState]":
    """Give access to what is backed up; see ``adapters.kafka_state``."""
    from meltwatch_cli.adapters.kafka_state import open_state

    return open_state(_connection(settings), settings.topic_prefix, principal)


def trace_topics(settings: Settings, share: float) -> "AbstractContextManager[TraceTopics]":
    """Give the traces that scores and alarms carry; see ``adapters.kafka_traces``."""
    from meltwatch_cli.adapters.kafka_traces import open_trace_topics

    return open_trace_topics(_connection(settings), settings.topic_prefix, share)


def collector(address: str) -> "AbstractContextManager[Collector]":
    """Give a collector of traces.

    Raises
    ------
    BadUsage
        If what speaks to it is not installed.
    """
    from meltwatch_chassis.errors import BadUsage

    try:
        from meltwatch_cli.adapters.otlp import collector as reach
    except ModuleNotFoundError as error:
        raise BadUsage(
            f"expected the packages that speak OTLP, {error.name} is missing: "
            "install meltwatch-cli[traces]"
        ) from None
    return reach(address)


def redis_view(settings: Settings) -> "AbstractContextManager[RedisAlarmReader]":
    """Give access to the alarms in Redis; see ``adapters.redis_view``."""
    from meltwatch_cli.adapters.redis_view import open_redis_view

    return open_redis_view(settings)


def dead_letters(settings: Settings) -> "AbstractContextManager[DeadLetterTopic]":
    """Give access to the dead letters; see ``adapters.kafka_dead_letters``."""
    from meltwatch_cli.adapters.kafka_dead_letters import open_dead_letters

    return open_dead_letters(_connection(settings), settings.topic_prefix)


def way_back(settings: Settings, topic: "DeadLetterTopic") -> "AbstractContextManager[Send]":
    """Give a function that sends refused records to their topics again."""
    return topic.way_back(_connection(settings), settings.topic_prefix)


def create_topics(
    settings: Settings, partitions: int, replication: "Replication", patience_s: int
) -> tuple[list[str], tuple[TopicSpec, ...]]:
    """Create what is missing of the catalogue; return the names created and the catalogue."""
    from meltwatch_chassis.errors import ConfigurationError
    from meltwatch_chassis.kafka.access import refusal
    from meltwatch_chassis.kafka.admin import create_topics as create

    topics = catalogue(settings.topic_prefix, partitions)
    connection = _connection(settings, patience_s)
    try:
        return create(connection, topics, replication), topics
    except ConfigurationError as error:
        cause = refusal(connection, rights_of(Principal.TOPICS, settings.topic_prefix))
        raise cause or error from error


def check_topics(
    settings: Settings, partitions: int, replication: "Replication"
) -> tuple[list[str], tuple[TopicSpec, ...]]:
    """Compare the broker with the catalogue; return one line a difference, and the catalogue."""
    from meltwatch_chassis.kafka.admin import check_topics as check

    from meltwatch_cli.adapters.kafka_placement import placement_problems

    topics = catalogue(settings.topic_prefix, partitions)
    problems = check(_connection(settings), topics, replication)
    if not problems:
        problems = placement_problems(_connection(settings), settings.topic_prefix)
    return problems, topics


def replication(factor: int, min_isr: int | None) -> "Replication":
    """Return how many copies each partition should have."""
    from meltwatch_chassis.kafka.admin import Replication

    return Replication(factor, min_isr)


def topics_lacking(settings: Settings) -> str | None:
    """Return one line if the broker does not answer or lacks topics of the catalogue.

    Topics that the user may not see are not looked at.
    """
    from meltwatch_chassis.errors import DependencyUnreachable
    from meltwatch_chassis.kafka.admin import unseen_topics

    names = [spec.name for spec in catalogue(settings.topic_prefix)]
    try:
        missing, hidden = unseen_topics(_connection(settings), names)
    except DependencyUnreachable as error:
        return str(error)
    if len(hidden) == len(names):
        return f"{settings.kafka} shows us no topic of {len(names)}; see 'meltwatch topics acls'"
    if not missing:
        return None
    return f"{settings.kafka} lacks {len(missing)} of {len(names)} topics, first {missing[0]}"


def _connection(settings: Settings, patience_s: int = PATIENCE_S) -> dict[str, Any]:
    from meltwatch_chassis.kafka.config import connection_arguments

    return connection_arguments(settings) | {"bootstrap_timeout_ms": patience_s * 1000}
