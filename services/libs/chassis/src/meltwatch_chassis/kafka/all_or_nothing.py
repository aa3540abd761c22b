"""Records and committed offsets that stand together or not at all: kafka-python's transactions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

from kafka import KafkaProducer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata
from meltwatch_schemas.record import OutgoingRecord

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.access import noted
from meltwatch_chassis.kafka.record import sent_by_kafka_python

_LONGEST_MS: Final = 900_000  # a broker's default for the longest transaction that it takes
_MAX_REQUEST_BYTES: Final = 9 * 1024 * 1024
_ANSWER_S: Final = 60.0


class Transaction:
    """One that has begun.

    Parameters
    ----------
    producer
        Kafka's client.
    """

    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Send records; return their offsets once the broker has all of them.

        Raises
        ------
        KafkaError
            If it does not take one.
        """
        with noted(f"writing to {records[0].topic}" if records else "writing"):
            waiting = [self._producer.send(**sent_by_kafka_python(record)) for record in records]
            return [int(future.get(timeout=_ANSWER_S).offset) for future in waiting]

    def commit_offsets(
        self, group: str, offsets: Mapping[tuple[str, int], tuple[int, str]]
    ) -> None:
        """Commit offsets of a group, each with a text, by topic and partition."""
        commits = {
            TopicPartition(*part): OffsetAndMetadata(offset, text, -1)
            for part, (offset, text) in offsets.items()
        }
        with noted(f"committing offsets of {group}"):
            self._producer.send_offsets_to_transaction(commits, group)


@contextmanager
def transaction(connection: Mapping[str, Any], name: str) -> Iterator[Transaction]:
    """Give a transaction, which is committed at the end of the block if nothing fails in it.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    name
        Transactional id. Whoever begins a transaction under it shuts out whoever had one before.

    Raises
    ------
    ConfigurationError
        If somebody else has begun one under this name.
    KafkaError
        If the broker does not take it. Unless that was while committing, nothing stands then.
    """
    producer = KafkaProducer(
        **connection,
        transactional_id=name,
        transaction_timeout_ms=_LONGEST_MS,
        max_request_size=_MAX_REQUEST_BYTES,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    with closing(producer):
        try:
            with noted("beginning a transaction"):
                producer.init_transactions()
                producer.begin_transaction()
            yield from _committed(producer)
        except (ProducerFencedError, InvalidProducerEpochError) as error:
            raise ConfigurationError(
                f"Kafka: expected nobody else to write as {name!r}, another one has begun: "
                "stop it and try again; nothing was written"
            ) from error


def _committed(producer: KafkaProducer) -> Iterator[Transaction]:
    try:
        yield Transaction(producer)
    except KafkaError:
        raise  # the broker ends it; to ask for that could take as long as what has failed
    except BaseException:
        with suppress(KafkaError):
            producer.abort_transaction()
        raise
    with noted("committing a transaction"):
        producer.commit_transaction()
