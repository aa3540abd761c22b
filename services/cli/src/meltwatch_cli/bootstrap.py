"""Puts a command's parts together; clients are imported here, when a command needs them.

Kafka's and Redis's clients take half a second each to import: ``--help`` must not pay for them.
"""
# ruff: noqa: PLC0415 - see above

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from meltwatch_schemas.topics import TopicSpec, catalogue

from meltwatch_cli.settings import Settings

_PATIENCE_MS: Final = 5_000
"""How long to look for a broker: a person waits for the answer."""

if TYPE_CHECKING:
    from meltwatch_cli.adapters.kafka_alarms import AlarmTopics
    from meltwatch_cli.adapters.redis_view import RedisView


def alarm_topics(settings: Settings) -> "AbstractContextManager[AlarmTopics]":
    """Give access to the alarm topics; see ``adapters.kafka_alarms``."""
    from meltwatch_cli.adapters.kafka_alarms import open_alarm_topics

    return open_alarm_topics(_connection(settings), settings.topic_prefix)


def redis_view(settings: Settings) -> "AbstractContextManager[RedisView]":
    """Give access to the alarms in Redis; see ``adapters.redis_view``."""
    from meltwatch_cli.adapters.redis_view import open_redis_view

    return open_redis_view(settings)


def create_topics(
    settings: Settings, partitions: int, replication_factor: int
) -> tuple[list[str], tuple[TopicSpec, ...]]:
    """Create what is missing of the catalogue; return the names created and the catalogue."""
    from meltwatch_chassis.topics_admin import create_topics as create

    topics = catalogue(settings.topic_prefix, partitions)
    return create(_connection(settings), topics, replication_factor), topics


def check_topics(settings: Settings, partitions: int) -> tuple[list[str], tuple[TopicSpec, ...]]:
    """Compare the broker with the catalogue; return one line a difference, and the catalogue."""
    from meltwatch_chassis.topics_admin import check_topics as check

    topics = catalogue(settings.topic_prefix, partitions)
    return check(_connection(settings), topics), topics


def _connection(settings: Settings) -> dict[str, Any]:
    from meltwatch_chassis.kafka_config import connection_arguments

    return connection_arguments(settings) | {"bootstrap_timeout_ms": _PATIENCE_MS}
