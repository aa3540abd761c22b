"""What a live system left behind in Kafka: read without a group, frozen when opened."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.access import explained, require_access
from meltwatch_chassis.kafka.span import RecordsDeleted, SpanReader
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic, timestamp_ms

from meltwatch_backtester.errors import HistoryMissing
from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart

_PARTITIONED: Final = (Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES, Topic.SHADOW_SCORES)
_SINGLE: Final = (Topic.ALARM_POINTS, Topic.ALARMS, Topic.ALARM_COMMANDS, Topic.PORTRAITS)


class KafkaHistory:
    """A ``History`` in Kafka.

    Parameters
    ----------
    readers
        Makes a reader, which lives as long as the history; each read in progress needs one.
    connection
        Of the clients, to name the broker in errors.
    prefix
        First part of the topic names.
    """

    saved: Saved | None = None

    def __init__(
        self, readers: Callable[[], SpanReader], connection: Mapping[str, Any], prefix: str
    ) -> None:
        self.prefix = prefix
        self._connect = readers
        self._connection = connection
        self._idle: list[SpanReader] = []
        with self._reader() as reader:
            self.partitions = _partitions(reader, prefix)
            self._bounds = {part: self._now(reader, part) for part in self._parts()}

    def bounds(self, part: TopicPart) -> OffsetRange:
        """Return the offsets at the moment when the history was opened."""
        return self._bounds[part]

    def start_at(self, part: TopicPart, time_ns: int) -> int:
        """Return the first offset whose record timestamp is not earlier, the end if none is."""
        # Timestamps are cut to milliseconds: a record just after the time bears one before it.
        name, time_ms = part.topic.under(self.prefix), timestamp_ms(time_ns)
        with self._reader() as reader:
            found = reader.offset_of(name, part.partition, time_ms)
        start, end = self._bounds[part]
        return end if found is None else min(max(found, start), end)

    def read(self, part: TopicPart, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, end)`` within the bounds, by offset."""
        first, last = self._bounds[part]
        name = part.topic.under(self.prefix)
        with self._reader() as reader:
            try:
                yield from reader.read(name, part.partition, max(start, first), min(end, last))
            except RecordsDeleted as error:
                raise HistoryMissing(
                    f"{name}/{part.partition}: retention has deleted records while they were read"
                ) from error

    @contextmanager
    def _reader(self) -> Iterator[SpanReader]:
        with explained(self._connection, rights_of(Principal.BACKTESTER, self.prefix)):
            reader = self._idle.pop() if self._idle else self._connect()
            try:
                yield reader
            finally:
                self._idle.append(reader)

    def _parts(self) -> Iterator[TopicPart]:
        for topic in _PARTITIONED:
            yield from (TopicPart(topic, partition) for partition in range(self.partitions))
        yield from (TopicPart(topic, 0) for topic in _SINGLE)

    def _now(self, reader: SpanReader, part: TopicPart) -> OffsetRange:
        name, partition = part.topic.under(self.prefix), part.partition
        return OffsetRange(reader.first_offset(name, partition), reader.end(name, partition))


@contextmanager
def open_kafka_history(connection: Mapping[str, Any], prefix: str) -> Iterator[KafkaHistory]:
    """Give the history that a broker holds now.

    Raises
    ------
    ConfigurationError
        If a right or a topic is missing, or the partition counts differ.
    DependencyUnreachable
        If the broker does not answer.
    """
    require_access(connection, rights_of(Principal.BACKTESTER, prefix))
    with ExitStack() as stack:

        def connect() -> SpanReader:
            return stack.enter_context(SpanReader.connected(connection, jump_gaps=False))

        yield KafkaHistory(connect, connection, prefix)


def _partitions(reader: SpanReader, prefix: str) -> int:
    counts = {topic: len(reader.partitions(topic.under(prefix))) for topic in _PARTITIONED}
    counts |= {topic: len(reader.partitions(topic.under(prefix))) for topic in _SINGLE}
    if missing := sorted(topic.under(prefix) for topic, count in counts.items() if not count):
        raise ConfigurationError(
            f"topics: expected the catalogue under {prefix!r}, {', '.join(missing)} missing; "
            "see meltwatch topics check"
        )
    found = {counts[topic] for topic in _PARTITIONED}
    if len(found) > 1:
        raise ConfigurationError(
            f"partitions: expected inputs and scores to have the same number, got {counts}"
        )
    return found.pop()
