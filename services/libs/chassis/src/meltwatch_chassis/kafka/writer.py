"""Records whose delivery is awaited: kafka-python's producer, one call for some records."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Self

from kafka import KafkaProducer
from meltwatch_schemas.record import OutgoingRecord

from meltwatch_chassis.kafka.access import noted
from meltwatch_chassis.kafka.record import sent


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

    def _send(self, record: OutgoingRecord) -> Any:
        with _noted(record):
            return self._producer.send(**sent(record))

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


def _noted(record: OutgoingRecord) -> AbstractContextManager[None]:
    partition = "" if record.partition is None else f"/{record.partition}"
    return noted(f"writing to {record.topic}{partition}")
