"""What comes to some partitions, from now on or since a time: read without a group."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.kafka import kafka_python_batches
from meltwatch_chassis.kafka.access import TopicMissing
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_chassis.kafka.span import SpanReader


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

    def read_from(self, times_ms: Mapping[tuple[str, int], int | None]) -> None:
        """Read each partition from a time on, ms UTC, with None what comes next."""
        asked = {TopicPartition(*part): time_ms for part, time_ms in times_ms.items()}
        starts = SpanReader(self._consumer).starts(asked)
        self._consumer.assign([*starts])
        for partition, start in starts.items():
            self._consumer.seek(partition, start)

    def poll(self, timeout_ms: int) -> list[RawRecord]:
        """Return what has come, waiting for it at most so long."""
        found = self._consumer.poll(timeout_ms=timeout_ms).values()
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
        kafka_python_batches.accept_any()
        with closing(
            KafkaConsumer(
                **connection,
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
            )
        ) as consumer:
            yield cls(consumer)
