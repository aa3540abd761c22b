"""The topics that an alarm journal keeps, on Kafka."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.access import TopicMissing, explained, require_access
from meltwatch_chassis.kafka.admin import topic_ids
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_schemas.access import ACCESS, Principal, rights_of
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.volume import KafkaNow


class KafkaJournalTopics:
    """A ``JournalTopics`` on Kafka.

    Parameters
    ----------
    reader
        Reads partitions.
    connection
        Of the clients.
    prefix
        First part of the topic names.
    """

    def __init__(self, reader: SpanReader, connection: Mapping[str, Any], prefix: str) -> None:
        self._reader = reader
        self._prefix = prefix
        names = [topic.under(prefix) for topic in ACCESS[Principal.JOURNAL].topics]
        self._ids = topic_ids(connection, names)

    def name(self, topic: Topic) -> str:
        """Return the full name of a topic."""
        return topic.under(self._prefix)

    def now(self, topic: Topic) -> KafkaNow:
        """Return what a topic is and holds at this moment."""
        name = self.name(topic)
        if not self._reader.partitions(name):
            raise TopicMissing(name)
        start, end = self._reader.first_offset(name, 0), self._reader.end(name, 0)
        return KafkaNow(self._ids.get(name), start, end, SystemClock().now_ns())

    def read(self, topic: Topic, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, end)`` that are there, by offset."""
        return self._reader.read(self.name(topic), 0, start, end)


@contextmanager
def open_journal_topics(connection: Mapping[str, Any], prefix: str) -> Iterator[KafkaJournalTopics]:
    """Give access to the topics.

    Raises
    ------
    ConfigurationError
        If a right or a topic is missing.
    DependencyUnreachable
        If the broker does not answer.
    """
    rights = rights_of(Principal.JOURNAL, prefix)
    require_access(connection, rights)
    with explained(connection, rights), SpanReader.connected(connection) as reader:
        yield KafkaJournalTopics(reader, connection, prefix)
