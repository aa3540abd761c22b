"""New records of some partitions, from now on or since a time: read without a group."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, Self

from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.kafka.access import TopicMissing
from meltwatch_chassis.kafka.consumer import consumer_of
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_chassis.kafka.span import SpanReader

_AT_ONCE: Final = 500


class Follower:
    """Sees committed records alone; a partition is named by its topic and number.

    Parameters
    ----------
    consumer
        Kafka's client.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic.

        Raises
        ------
        TopicMissing
            If it has none.
        """
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            raise TopicMissing(topic)
        return sorted(numbers)

    def read_from(
        self, times_ms: Mapping[tuple[str, int], int | None]
    ) -> Mapping[tuple[str, int], int]:
        """Read each partition from a time on, ms UTC, with None what comes next; return where."""
        asked = {TopicPartition(*part): time_ms for part, time_ms in times_ms.items()}
        starts = SpanReader(self._consumer).starts(asked)
        self.go_on(starts)
        return starts

    def go_on(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self._consumer.assign([TopicPartition(*part) for part in positions])
        for part, offset in positions.items():
            self._consumer.seek(TopicPartition(*part), offset)

    def lag(self) -> int:
        """Return how many offsets, markers included, lie ahead."""
        ends = self._consumer.end_offsets(self._consumer.assignment())
        return sum(max(0, end - self._consumer.position(part)) for part, end in ends.items())

    def poll(self, timeout_ms: int) -> list[RawRecord]:
        """Return what has come, waiting for it at most so long."""
        found = self._consumer.poll(timeout_ms=timeout_ms, max_records=_AT_ONCE).values()
        return [raw_record(record) for record in chain.from_iterable(found)]

    @classmethod
    @contextmanager
    def connected(cls, connection: Mapping[str, Any]) -> Iterator[Self]:
        """Give one that reads from a broker.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        """
        with consumer_of(connection) as consumer:
            yield cls(consumer)
