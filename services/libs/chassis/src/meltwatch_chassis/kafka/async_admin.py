"""What aiokafka's clients say of topics and partitions, checked before it is used."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from meltwatch_schemas.text import escaped

from meltwatch_chassis.errors import DependencyUnreachable, TransientError
from meltwatch_chassis.kafka.errors import kafka_failures

Part = tuple[str, int]
"""A partition: its topic's full name, and its number. Kafka's clients have a tuple for it, too."""


@asynccontextmanager
async def administration(connection: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client for a moment."""
    admin = AIOKafkaAdminClient(**connection)
    with kafka_failures("asking the broker"):
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


async def require_topics(connection: Mapping[str, Any], topics: Collection[str]) -> None:
    """Check that topics exist.

    Raises
    ------
    DependencyUnreachable
        If the broker lacks one.
    """
    async with administration(connection) as admin:
        missing = sorted(set(topics) - set(await admin.list_topics()))
    if missing:
        raise DependencyUnreachable(
            f"Kafka: expected {', '.join(topics)}, got none named {', '.join(missing)}: "
            "run meltwatch topics create"
        )


async def partitions_of(admin: AIOKafkaAdminClient, topic: str) -> list[Part]:
    """Return the partitions of a topic, ascending.

    Raises
    ------
    TransientError
        If the broker names none: the topic has just been made, or is gone.
    """
    answer = await admin.describe_topics([topic])
    numbers = [number for found in answer or () for number in _numbers(found)]
    if not numbers or len(set(numbers)) != len(numbers):
        raise TransientError(f"Kafka: expected the partitions of {topic}, got {numbers}")
    return [(topic, number) for number in sorted(numbers)]


def offset_of(answer: Any, partition: Part) -> int:
    """Return the offset that an answer of the broker names for a partition.

    Raises
    ------
    TransientError
        If it names none.
    """
    found = answer.get(partition) if isinstance(answer, Mapping) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        topic, number = partition
        raise TransientError(
            f"Kafka: expected an offset of {topic} partition {number}, "
            f"got {escaped(repr(found))[:80]}"
        )
    return found


def _numbers(found: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the partitions that an answer names, whatever else it says."""
    parts = found.get("partitions") if isinstance(found, Mapping) else None
    numbers = [part.get("partition") for part in parts or () if isinstance(part, Mapping)]
    whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool)]
    return [number for number in whole if number >= 0]
