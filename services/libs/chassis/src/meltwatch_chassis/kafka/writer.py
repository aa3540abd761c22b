"""Records whose delivery is awaited: kafka-python's producer, one call for some records."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from meltwatch_schemas.record import OutgoingRecord

from meltwatch_chassis.kafka.access import noted
from meltwatch_chassis.kafka.record import sent_by_kafka_python

_NEVER_TAKEN: Final = (
    InvalidRecordError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)


@dataclass(frozen=True, slots=True)
class NotWritten:
    """What became of a record that may not stand in Kafka.

    Attributes
    ----------
    cause
        What the client raised.
    """

    cause: KafkaError

    @property
    def is_final(self) -> bool:
        """Tell whether the broker will never take this record, whatever comes."""
        return isinstance(self.cause, _NEVER_TAKEN)


class Writer:
    """Sends records and waits for them.

    Parameters
    ----------
    producer
        Kafka's client.
    """

    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer

    def write(self, records: Iterable[OutgoingRecord], timeout_s: float) -> None:
        """Send records; returns once all of them stand.

        Raises
        ------
        KafkaError
            If one does not stand after a time, or never will.
        """
        waiting = [(record, self._send(record)) for record in records]
        for record, future in waiting:
            with _noted(record):
                future.get(timeout=timeout_s)

    def write_each(
        self, records: Iterable[OutgoingRecord], timeout_s: float
    ) -> list["NotWritten | None"]:
        """Send records; return once it is known of each whether it stands: None, or why not.

        Parameters
        ----------
        records
            In their order.
        timeout_s
            Longest wait for one, after which nothing is known of it.
        """
        waiting: list[Any] = []
        for record in records:
            try:
                waiting.append(self._send(record))
            except KafkaError as error:
                waiting.append(error)
        return [_outcome(future, timeout_s) for future in waiting]

    def _send(self, record: OutgoingRecord) -> Any:
        with _noted(record):
            return self._producer.send(**sent_by_kafka_python(record))

    @classmethod
    @contextmanager
    def connected(cls, connection: Mapping[str, Any], **options: object) -> Iterator[Self]:
        """Give a writer to a broker.

        Parameters
        ----------
        connection
            Address, TLS and SASL of the broker.
        options
            Further ones of the client.
        """
        with closing(KafkaProducer(**connection, **options)) as producer:
            yield cls(producer)


def _outcome(future: Any, timeout_s: float) -> NotWritten | None:
    if isinstance(future, KafkaError):
        return NotWritten(future)
    try:
        future.get(timeout=timeout_s)
    except KafkaError as error:
        return NotWritten(error)
    return None


def _noted(record: OutgoingRecord) -> AbstractContextManager[None]:
    partition = "" if record.partition is None else f"/{record.partition}"
    return noted(f"writing to {record.topic}{partition}")
