"""What a redrive writes and where it looks: the journal, and the topics it sends to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_schemas.dead_letter import NO_TIMESTAMP
from meltwatch_schemas.record import JSON, RawRecord, header, headers_for
from meltwatch_schemas.redrive import JOURNAL_CONFIG, REDRIVE_OF, RedriveNote, journal_topic

from meltwatch_cli.adapters.kafka_dead_letters import RedriveNotes
from meltwatch_cli.ports import Sending

DELIVERY_MS: Final = 20_000
"""A third of how long a claim holds: what is not delivered by then never will be."""
_REQUEST_MS: Final = 10_000
_SETTLE_S: Final = DELIVERY_MS / 1000 + 5
_REFUSALS: Final = (
    InvalidRecordError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
_BROKERS_DEFAULT: Final = -1


class KafkaJournal:
    """Writes the journal and reads it back.

    Parameters
    ----------
    producer
        Kafka's writing side.
    notes
        Its reading side.
    """

    def __init__(self, producer: KafkaProducer, notes: RedriveNotes) -> None:
        self._producer = producer
        self._notes = notes

    def append(self, notes: Iterable[RedriveNote]) -> None:
        """Write notes; returns once they stand."""
        futures = [
            self._producer.send(
                self._notes.topic,
                key=note.origin.encode(),
                value=note.to_json(),
                headers=headers_for(RedriveNote.schema_id, JSON),
                partition=0,
            )
            for note in notes
        ]
        for future in futures:
            future.get(_SETTLE_S)

    def news(self) -> Iterator[RedriveNote]:
        """Yield the notes that were written since the last call, up to the present end."""
        return self._notes.news()


class KafkaTargets:
    """The topics that records are sent to.

    Parameters
    ----------
    producer, reader
        Kafka's writing and reading side.
    """

    def __init__(self, producer: KafkaProducer, reader: SpanReader) -> None:
        self._producer = producer
        self._reader = reader

    def partition_of(self, record: RawRecord) -> int | None:
        """Return the partition that a record belongs to, None if its topic is gone.

        That is the one of its key; without a key the one it was in, if that is still there.
        """
        partitions = self._reader.partitions(record.topic)
        if not partitions:
            return None
        if record.key is not None:
            return partitions[partition_of(record.key, len(partitions))]
        return record.partition if record.partition in partitions else partitions[0]

    def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset that comes next in a partition."""
        return self._reader.end(topic, partition)

    def send(self, records: Sequence[RawRecord]) -> list[Sending]:
        """Send records into the partitions that they name, each with its own timestamp."""
        waiting = [self._handed_over(record) for record in records]
        return [_settled(future) for future in waiting]

    def sent_since(
        self, topic: str, partition: int, offset: int, until_ms: int | None
    ) -> Mapping[str, int] | None:
        """Return the records that were sent again from an offset on: offset by letter."""
        if self._reader.first_offset(topic, partition) > offset:
            return None
        stop = None
        if until_ms is not None:
            stop = self._reader.offset_of(topic, partition, until_ms)
        if stop is None:
            stop = self._reader.end(topic, partition)
        records = self._reader.read(topic, partition, offset, stop)
        named = ((header(record.headers, REDRIVE_OF), record.offset) for record in records)
        return {letter: found for letter, found in named if letter is not None}

    def _handed_over(self, record: RawRecord) -> Any:
        try:
            return self._producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=None if record.timestamp_ms == NO_TIMESTAMP else record.timestamp_ms,
            )
        except KafkaError as error:
            return error


@contextmanager
def open_redrive(
    connection: Mapping[str, Any], prefix: str, reader: SpanReader, since_ms: int
) -> Iterator[tuple[KafkaJournal, KafkaTargets]]:
    """Give access to the journal, which is created if need be, and to the topics to send to.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    reader
        Reads both.
    since_ms
        When the oldest letter of interest was set aside, ms UTC.
    """
    with closing(
        KafkaProducer(
            **connection,
            acks="all",
            linger_ms=5,
            delivery_timeout_ms=DELIVERY_MS,
            request_timeout_ms=_REQUEST_MS,
            max_block_ms=_REQUEST_MS,
            allow_auto_create_topics=False,
        )
    ) as producer:
        notes = RedriveNotes(reader, prefix, since_ms)
        yield KafkaJournal(producer, notes), KafkaTargets(producer, reader)


def create_journal(connection: Mapping[str, Any], prefix: str) -> None:
    """Create the journal's topic unless it is there."""
    options = {
        "num_partitions": 1,
        "replication_factor": _BROKERS_DEFAULT,
        "configs": JOURNAL_CONFIG,
    }
    with closing(KafkaAdminClient(**connection)) as admin, suppress(TopicAlreadyExistsError):
        admin.create_topics({journal_topic(prefix): options}, wait_for_metadata=True)


def _settled(waiting: Any) -> Sending:
    if isinstance(waiting, KafkaError):
        return Sending(None, repr(waiting))
    try:
        return Sending(waiting.get(_SETTLE_S).offset)
    except KafkaError as error:
        return Sending(None, repr(error), is_certain=isinstance(error, _REFUSALS))
