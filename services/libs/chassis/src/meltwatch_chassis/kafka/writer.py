"""Records whose delivery is awaited: kafka-python's producer, one call for some records."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Self

from kafka import KafkaProducer
from meltwatch_schemas.record import OutgoingRecord

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
        futures = [self._producer.send(**sent(record)) for record in records]
        for future in futures:
            future.get(timeout=timeout_s)

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
