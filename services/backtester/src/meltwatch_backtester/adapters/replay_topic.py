"""The currents topic of a replay: what stands in it, and more behind it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable
from meltwatch_chassis.kafka.access import explained, require_access
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic, is_replay

_AT_ONCE: Final = 500
_SEND_S: Final = 30
_CLIENT: Final = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 10,
    "delivery_timeout_ms": _SEND_S * 1000,
    "request_timeout_ms": _SEND_S * 500,
    "max_block_ms": _SEND_S * 500,
    "allow_auto_create_topics": False,
}


class ReplayTopic:
    """A ``ReplaySink`` in Kafka.

    Parameters
    ----------
    reader, writer
        Kafka.
    name
        Full name of the topic.
    partitions
        How many it has.
    """

    def __init__(self, reader: SpanReader, writer: Writer, name: str, partitions: int) -> None:
        self.name = name
        self._reader = reader
        self._writer = writer
        self._partitions = partitions

    def newest(self, key: bytes) -> RawRecord | None:
        """Return the last record of a key, None if there is none; looked for from the end."""
        partition = partition_of(key, self._partitions)
        first = self._reader.first_offset(self.name, partition)
        stop = self._reader.end(self.name, partition)
        count = _AT_ONCE
        while stop > first:
            start = max(first, stop - count)
            found = None
            for record in self._reader.read(self.name, partition, start, stop):
                found = record if record.key == key else found
            if found is not None:
                return found
            stop, count = start, 2 * count
        return None

    def write(self, records: Iterable[OutgoingRecord]) -> None:
        """Write records into the partitions of their keys; some stand before the next are sent."""
        waiting = iter(records)
        while lot := [self._placed(record) for record in islice(waiting, _AT_ONCE)]:
            self._writer.write(lot, _SEND_S)

    def _placed(self, record: OutgoingRecord) -> OutgoingRecord:
        partition = partition_of(record.key or b"", self._partitions)
        return replace(record, topic=self.name, partition=partition)


@contextmanager
def open_replay_topic(connection: Mapping[str, Any], prefix: str) -> Iterator[ReplayTopic]:
    """Give the currents topic of a replay, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        Of ``replay_prefix``.

    Raises
    ------
    ConfigurationError
        If the prefix is none of a replay, or a right or the topic is missing.
    DependencyUnreachable
        If the broker does not answer, also in mid-work.
    """
    if not is_replay(prefix):
        raise ConfigurationError(f"topic prefix: expected that of a replay, got {prefix!r}")
    name = Topic.CURRENTS.under(prefix)
    rights = [Right(each, Resource.TOPIC, name) for each in (Operation.READ, Operation.WRITE)]
    require_access(connection, rights)
    with explained(connection, rights), SpanReader.connected(connection) as reader:
        partitions = len(reader.partitions(name))
        if not partitions:
            raise DependencyUnreachable(
                f"expected the topic {name}, it is missing; run 'meltwatch topics create' with "
                f"MELTWATCH_TOPIC_PREFIX={prefix}"
            )
        with Writer.connected(connection, **_CLIENT) as writer:
            yield ReplayTopic(reader, writer, name, partitions)
