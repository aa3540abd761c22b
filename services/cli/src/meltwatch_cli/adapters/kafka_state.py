"""The state topics of a broker, and the alarm manager's offsets in them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.access import TopicMissing, explained, require_access
from meltwatch_chassis.kafka.admin import group_offsets
from meltwatch_chassis.kafka.all_or_nothing import Transaction, transaction
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_core.alarms.commit_note import commit_of, note_of
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_cli.domain.state_copy import OFFSETS_GROUP, STATE, WRITER


class KafkaState:
    """The state topics; each of one partition.

    Parameters
    ----------
    reader
        Reads them.
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    """

    def __init__(self, reader: SpanReader, connection: Mapping[str, Any], prefix: str) -> None:
        self._reader = reader
        self._connection = connection
        self.prefix = prefix
        self._group = f"{prefix}.{OFFSETS_GROUP}"

    def commits(self) -> dict[Place, Commit]:
        """Return what the alarm manager has committed."""
        found = group_offsets(self._connection, self._group)
        told = {
            Place(topic, 0): commit_of(*found[topic.under(self.prefix), 0])
            for topic in STATE
            if (topic.under(self.prefix), 0) in found
        }
        return {place: commit for place, commit in told.items() if commit is not None}

    def bounds(self, topic: Topic) -> tuple[int, int]:
        """Return the first offset of a topic and the one that comes next."""
        name = topic.under(self.prefix)
        return self._reader.first_offset(name, 0), self._reader.end(name, 0)

    def read(self, topic: Topic, start: int, stop: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, stop)``, committed ones alone."""
        return self._reader.read(topic.under(self.prefix), 0, start, stop)

    @contextmanager
    def writing(self) -> Iterator["KafkaStateTransaction"]:
        """Give a transaction in the alarm manager's name, so that only one of both can write."""
        with transaction(self._connection, f"{self.prefix}.{WRITER}") as begun:
            yield KafkaStateTransaction(begun, self.prefix, self._group)


class KafkaStateTransaction:
    """One that has begun.

    Parameters
    ----------
    begun
        Of Kafka.
    prefix
        First part of the topic names.
    group
        Of the alarm manager's offsets.
    """

    def __init__(self, begun: Transaction, prefix: str, group: str) -> None:
        self._begun = begun
        self._prefix = prefix
        self._group = group

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Write records; return where they stand."""
        return self._begun.write(records)

    def commit(self, commits: Mapping[Topic, Commit]) -> None:
        """Write how far the alarm manager is done with topics."""
        offsets = {
            (topic.under(self._prefix), 0): (commit.offset, note_of(commit))
            for topic, commit in commits.items()
        }
        self._begun.commit_offsets(self._group, offsets)


@contextmanager
def open_state(
    connection: Mapping[str, Any], prefix: str, principal: Principal
) -> Iterator[KafkaState]:
    """Give access to the state topics, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    principal
        As whom: what it may do is asked first.

    Raises
    ------
    ConfigurationError
        If a right is missing, or a topic has several partitions.
    DependencyUnreachable
        If the broker does not answer or a topic is missing.
    """
    rights = rights_of(principal, prefix)
    require_access(connection, rights)
    with explained(connection, rights), SpanReader.connected(connection) as reader:
        for topic in STATE:
            name = topic.under(prefix)
            if not (partitions := reader.partitions(name)):
                raise TopicMissing(name)
            if partitions != [0]:
                raise ConfigurationError(f"{name}: expected 1 partition, got {len(partitions)}")
        yield KafkaState(reader, connection, prefix)
