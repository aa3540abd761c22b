"""The dead letters topic: stretches of it, single letters, and the way back to their topics."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.kafka.access import explained, refusal, require_access
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Operation, Principal, Resource, Right, rights_of
from meltwatch_schemas.dead_letter import NO_TIMESTAMP
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

Send = Callable[[RawRecord], str | None]
"""Sends a record to its topic; returns why it was not taken, or None."""
_SEND_S: Final = 20
_CLIENT: Final = {
    "acks": "all",
    "enable_idempotence": False,  # else the first refused record ends the producer
    "delivery_timeout_ms": _SEND_S * 1000,
    "request_timeout_ms": _SEND_S * 500,
    "max_block_ms": _SEND_S * 500,
    "allow_auto_create_topics": False,
}


@dataclass(frozen=True, slots=True)
class LetterSpan:
    """A stretch of the dead letters.

    Attributes
    ----------
    start, stop
        Offsets, stop excluded.
    is_cut
        Whether more letters were asked for than the stretch holds.
    """

    start: int
    stop: int
    is_cut: bool


class DeadLetterTopic:
    """Reads the dead letters under a prefix.

    Parameters
    ----------
    reader
        Kafka.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the topic is missing.
    """

    def __init__(self, reader: SpanReader, prefix: str) -> None:
        self._reader = reader
        self.name = Topic.DEAD_LETTERS.under(prefix)
        if reader.partitions(self.name) != [0]:
            raise DependencyUnreachable(
                f"Kafka: expected the topic {self.name} with one partition; "
                "run 'meltwatch topics check'"
            )

    def span(self, since_ms: int | None, until_ms: int | None, most: int) -> LetterSpan:
        """Return where the newest letters set aside in a time stand, at most so many offsets."""
        stop = self._reader.end(self.name, 0)
        if until_ms is not None:
            stop = self._offset_of(until_ms, stop)
        start = self._reader.first_offset(self.name, 0)
        if since_ms is not None:
            start = max(start, self._offset_of(since_ms, stop))
        return LetterSpan(max(start, stop - most), stop, is_cut=stop - most > start)

    def letters(self, span: LetterSpan) -> Iterator[RawRecord]:
        """Yield the letters of a stretch, oldest first."""
        return self._reader.read(self.name, 0, span.start, span.stop)

    def take(self, ids: Collection[int]) -> Iterator[RawRecord]:
        """Yield the letters with these ids, oldest first; those that are gone are left out."""
        start = max(self._reader.first_offset(self.name, 0), min(ids, default=0))
        stop = min(self._reader.end(self.name, 0), max(ids, default=-1) + 1)
        if start < stop:
            letters = self._reader.read(self.name, 0, start, stop)
            yield from (letter for letter in letters if letter.offset in ids)

    @contextmanager
    def way_back(self, connection: Mapping[str, Any], prefix: str) -> Iterator[Send]:
        """Give a function that sends a refused record to its topic, into the partition of its key.

        Raises
        ------
        ConfigurationError
            If a right is missing.
        DependencyUnreachable
            If the broker does not answer, also in mid-work.
        """
        require_access(connection, rights_of(Principal.REDRIVER, prefix))
        with Writer.connected(connection, **_CLIENT) as writer:

            def send(record: RawRecord) -> str | None:
                partitions = self._reader.partitions(record.topic)
                if not partitions:
                    return f"expected the topic {record.topic}, it is gone"
                try:
                    with explained(connection, ()):
                        writer.write([_outgoing(record, partitions)], _SEND_S)
                except DependencyUnreachable as error:
                    if refusal(connection) is not None:
                        raise
                    return str(error)
                return None

            yield send

    def _offset_of(self, time_ms: int, otherwise: int) -> int:
        found = self._reader.offset_of(self.name, 0, time_ms)
        return otherwise if found is None else min(found, otherwise)


@contextmanager
def open_dead_letters(connection: Mapping[str, Any], prefix: str) -> Iterator[DeadLetterTopic]:
    """Give access to the dead letters, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or the topic is missing.
    """
    name = Topic.DEAD_LETTERS.under(prefix)
    right = Right(Operation.READ, Resource.TOPIC, name)
    with explained(connection, [right]), SpanReader.of_topic(connection, name) as reader:
        yield DeadLetterTopic(reader, prefix)


def _outgoing(record: RawRecord, partitions: Sequence[int]) -> OutgoingRecord:
    """Return a record for the partition of its key; without one, for that in which it stood."""
    partition = record.partition if record.partition in partitions else partitions[0]
    if record.key is not None:
        partition = partitions[partition_of(record.key, len(partitions))]
    timestamp_ms = None if record.timestamp_ms == NO_TIMESTAMP else record.timestamp_ms
    return OutgoingRecord(
        record.topic, record.key, record.value, record.headers, timestamp_ms, partition
    )
