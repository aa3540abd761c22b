"""Whether producers put furnaces where the join looks for them: by murmur2 of the key."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meltwatch_chassis.kafka.access import refusal
from meltwatch_chassis.kafka.partitioner import misplaced, partition_of
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic

_NEWEST: Final = 200
"""Records of each partition that are looked at."""
_MOST_NAMED: Final = 3


def placement_problems(connection: Mapping[str, Any], prefix: str) -> list[str]:
    """Return a line for each input topic with furnaces in a partition that is not theirs.

    Only the newest records are looked at, and none where we may not read.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    """
    names = [topic.under(prefix) for topic in (Topic.EMBEDDINGS, Topic.CURRENTS)]
    rights = [Right(Operation.READ, Resource.TOPIC, name) for name in names]
    if refusal(connection, rights) is not None:
        return []
    with SpanReader.connected(connection) as reader:
        return [line for name in names if (line := _problem(reader, name)) is not None]


def _problem(reader: SpanReader, topic: str) -> str | None:
    partitions = len(reader.partitions(topic))
    found = misplaced(_newest(reader, topic), partitions)
    if not found:
        return None
    told = [
        f"{escaped(key.decode(errors='backslashreplace'))} in {number} instead of "
        f"{partition_of(key, partitions)}"
        for key, number in sorted(found.items())[:_MOST_NAMED]
    ]
    return (
        f"{topic}: expected each furnace in the partition that murmur2 gives, got {len(found)} "
        f"elsewhere ({', '.join(told)}): set partitioner=murmur2_random in its producer, "
        "unless partitions were added just now"
    )


def _newest(reader: SpanReader, topic: str) -> Iterator[tuple[bytes, int]]:
    for number in reader.partitions(topic):
        end = reader.end(topic, number)
        start = max(reader.first_offset(topic, number), end - _NEWEST)
        for record in reader.read(topic, number, start, end):
            if record.key is not None:
                yield record.key, number
