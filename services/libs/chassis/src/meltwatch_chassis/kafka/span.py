"""Reads stretches of a partition: what is between two offsets, and where a time begins."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, OffsetOutOfRangeError
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.kafka.access import TopicMissing, noted, require_access
from meltwatch_chassis.kafka.consumer import consumer_of
from meltwatch_chassis.kafka.record import raw_record

_POLL_MS: Final = 200
_PATIENCE_POLLS: Final = 75  # 15 s without a record that should be there
_FETCH_BYTES: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 500
_QUESTION_MS: Final = 2_000
_EARLIER_MS: Final = (0, 10_000, 1_000_000, 100_000_000)
RecordsDeleted = OffsetOutOfRangeError
"""Retention took records before they were read, and gaps are not to be jumped."""


class SpanReader:
    """Reads without a group, one stretch at a time; sees committed records alone.

    Parameters
    ----------
    consumer
        Kafka's client.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, none if it does not exist."""
        return sorted(self._consumer.partitions_for_topic(topic))

    def first_offset(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still holds."""
        where = TopicPartition(topic, partition)
        return int(self._consumer.beginning_offsets([where])[where])

    def end(self, topic: str, partition: int) -> int:
        """Return the offset that comes next."""
        where = TopicPartition(topic, partition)
        return int(self._consumer.end_offsets([where])[where])

    def offset_of(self, topic: str, partition: int, time_ms: int) -> int | None:
        """Return the first offset whose timestamp is not earlier, None if there is none.

        A broker looks into records to tell. Where one unpacks to more than it has memory for it
        fails, at every try. It is asked for earlier times then, and we look from there.
        """
        for asked_ms in dict.fromkeys(max(time_ms - earlier_ms, 0) for earlier_ms in _EARLIER_MS):
            try:
                found = self._told(TopicPartition(topic, partition), asked_ms)
            except KafkaTimeoutError:
                continue  # kafka-python asks without end, whatever the broker's error is
            if found is None or asked_ms == max(time_ms, 0):
                return found
            return self._looked_for(topic, partition, found, time_ms)
        return self._looked_for(topic, partition, self.first_offset(topic, partition), time_ms)

    def _told(self, where: TopicPartition, time_ms: int) -> int | None:
        found = self._consumer.offsets_for_times({where: time_ms}, timeout_ms=_QUESTION_MS)[where]
        return None if found is None else int(found.offset)

    def _looked_for(self, topic: str, partition: int, start: int, time_ms: int) -> int | None:
        records = self.read(topic, partition, start, self.end(topic, partition))
        return next((each.offset for each in records if each.timestamp_ms >= time_ms), None)

    def starts(self, times_ms: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """Return where to begin: at a time, ms UTC, or with None at what comes next.

        The consumer's earlier assignment is lost.
        """
        # Ends before times: a record that comes in between is then found by its time.
        starts = {w: int(end) for w, end in self._consumer.end_offsets([*times_ms]).items()}
        for where, time_ms in times_ms.items():
            if time_ms is not None:
                found = self.offset_of(where.topic, where.partition, time_ms)
                starts[where] = starts[where] if found is None else found
        return starts

    def read(self, topic: str, partition: int, start: int, stop: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, stop)``.

        Raises
        ------
        KafkaTimeoutError
            If the broker stops answering.
        RecordsDeleted
            If some are gone, and gaps are not to be jumped.
        """
        where = TopicPartition(topic, partition)
        self._consumer.assign([where])
        self._consumer.seek(where, start)
        idle = 0
        while (position := self._consumer.position(where)) < stop:
            with noted(f"reading {topic}/{partition} at {position}"):
                records = self._consumer.poll(_POLL_MS, max_records=_AT_ONCE).get(where, [])
            yield from (raw_record(record) for record in records if record.offset < stop)
            idle = idle + 1 if self._consumer.position(where) == position else 0
            if idle > _PATIENCE_POLLS:
                raise KafkaTimeoutError(f"no answer about {topic}/{partition} at {position}")

    def read_whole(self, topic: str) -> Iterator[RawRecord]:
        """Yield what each partition of a topic holds now, partition by partition."""
        for partition in self.partitions(topic):
            span = self.first_offset(topic, partition), self.end(topic, partition)
            yield from self.read(topic, partition, *span)

    @classmethod
    @contextmanager
    def connected(cls, connection: Mapping[str, Any], *, jump_gaps: bool = True) -> Iterator[Self]:
        """Give a reader of a broker.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        jump_gaps
            Where records have been deleted, go on at the oldest that is left; else ``read`` raises
            ``RecordsDeleted``.
        """
        start = "earliest" if jump_gaps else "none"
        with consumer_of(
            connection, auto_offset_reset=start, max_partition_fetch_bytes=_FETCH_BYTES
        ) as consumer:
            yield cls(consumer)

    @classmethod
    @contextmanager
    def of_topic(cls, connection: Mapping[str, Any], topic: str) -> Iterator[Self]:
        """Give a reader of a broker for a topic that is there and may be read.

        Raises
        ------
        TopicMissing
            If there is no such topic.
        ConfigurationError
            If the right to read it is missing.
        """
        with cls.connected(connection) as reader:
            if not reader.partitions(topic):
                raise TopicMissing(topic)
            # Of an empty topic nothing is fetched: a missing right would look like no records.
            require_access(connection, [Right(Operation.READ, Resource.TOPIC, topic)])
            yield reader
