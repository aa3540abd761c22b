"""Follows some topics of a broker from a point in time, and says when it does not answer."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from meltwatch_chassis.kafka import kafka_python_batches
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_schemas.record import RawRecord

_BOOTSTRAP_MS: Final = 1_000
_MAX_RECORDS: Final = 500
_CONNECT_S: Final = 1.0


class TopicFollower:
    """Reads every partition of some topics without a group; one thread at a time.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    topics
        Full names of topics that exist.
    since_ms
        Record timestamp to begin at, ms UTC.

    Attributes
    ----------
    problem
        One line that says why nothing can be read, None when all is well.
    """

    def __init__(self, connection: Mapping[str, Any], topics: Sequence[str], since_ms: int) -> None:
        self._connection = dict(connection) | {"bootstrap_timeout_ms": _BOOTSTRAP_MS}
        self._topics = topics
        self._since_ms = since_ms
        self._consumer: KafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        self.problem: str | None = None

    def poll(self, timeout_ms: int) -> list[RawRecord]:
        """Return what has come, waiting for it at most so long; nothing while Kafka is away."""
        try:
            batches = self._connected().poll(timeout_ms, max_records=_MAX_RECORDS)
            self.problem = None
        except (KafkaError, OSError) as error:
            self._give_up(error)
            return []
        records = [record for batch in batches.values() for record in batch]
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            self._positions[partition] = record.offset + 1
        return [raw_record(record) for record in records]

    def lag(self) -> int:
        """Return how many offsets, markers included, lie ahead; 0 while Kafka is away."""
        try:
            consumer = self._connected()
            ends = consumer.end_offsets(consumer.assignment())
            return sum(max(0, end - consumer.position(tp)) for tp, end in ends.items())
        except (KafkaError, OSError) as error:
            self._give_up(error)
            return 0

    def close(self) -> None:
        """Let go of the broker; the next poll connects again and goes on where this one stopped."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _give_up(self, error: Exception) -> None:
        self.problem = f"Kafka does not answer: {error}"
        self.close()

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            _check_that_something_listens(self._connection["bootstrap_servers"])
            kafka_python_batches.accept_any()
            self._consumer = KafkaConsumer(
                **self._connection,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
            )
            self._assign(self._consumer)
        return self._consumer

    def _assign(self, consumer: KafkaConsumer) -> None:
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        new = {where: self._since_ms for where in partitions if where not in self._positions}
        self._positions |= SpanReader(consumer).starts(new)
        consumer.assign(partitions)
        for where in partitions:
            consumer.seek(where, self._positions[where])


def _check_that_something_listens(servers: Sequence[str]) -> None:
    """Raise OSError if no server takes a connection.

    kafka-python 3.0.12 leaves a thread and a socket behind for each client that finds no broker.
    """
    failure = OSError("no bootstrap server given")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except (OSError, ValueError) as error:
            failure = OSError(f"{server}: {error}")
        else:
            return
    raise failure
