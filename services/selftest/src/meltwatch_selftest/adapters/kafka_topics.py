"""The system's topics, as one furnace and one alarm appear in them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_chassis.kafka import kafka_python_batches
from meltwatch_chassis.kafka.access import TopicMissing, explained
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_selftest.domain.messages import Outgoing

_POLL_MS: Final = 200
_DELIVERY_S: Final = 30.0
_START_MS: Final = 5_000


class KafkaTopics:
    """Sends records and reads what concerns some keys.

    Parameters
    ----------
    producer, consumer
        Kafka's clients; the consumer stands where reading begins.
    prefix
        First part of the topics' names.
    keys
        Records of other keys are left out.
    """

    def __init__(
        self, producer: KafkaProducer, consumer: KafkaConsumer, prefix: str, keys: Iterable[str]
    ) -> None:
        self._producer = producer
        self._consumer = consumer
        self._prefix = prefix
        self._keys = {key.encode() for key in keys}

    def send(self, records: Iterable[Outgoing]) -> None:
        """Send records and wait until they are delivered."""
        futures = [
            self._producer.send(
                record.topic.under(self._prefix),
                record.value,
                record.key.encode(),
                headers=record.headers,
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        for future in futures:
            future.get(timeout=_DELIVERY_S)

    def collect(self) -> Iterator[RawRecord]:
        """Yield what has come under the keys; waits a moment for it."""
        for records in self._consumer.poll(timeout_ms=_POLL_MS).values():
            yield from (raw_record(record) for record in records if record.key in self._keys)


@contextmanager
def open_topics(
    connection: Mapping[str, Any], prefix: str, furnace_id: str, alarm_id: str
) -> Iterator[KafkaTopics]:
    """Give access to the topics; what is written from now on is read.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topics' names.
    furnace_id, alarm_id
        Whose records are read.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or a topic is missing.
    """
    start = {"bootstrap_timeout_ms": _START_MS}
    kafka_python_batches.accept_any()
    with (
        explained(connection, rights_of(Principal.SELFTEST, prefix)),
        closing(
            KafkaConsumer(
                **connection,
                **start,
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
            )
        ) as consumer,
        closing(KafkaProducer(**connection, **start, acks="all", linger_ms=5)) as producer,
    ):
        keys = {
            Topic.SCORES: furnace_id,
            Topic.ALARMS: alarm_id,
            Topic.ALARM_RESULTS: alarm_id,
        }
        read = [_partition(consumer, topic.under(prefix), key) for topic, key in keys.items()]
        consumer.assign(read)
        for partition, end in consumer.end_offsets(read).items():
            consumer.seek(partition, end)
        yield KafkaTopics(producer, consumer, prefix, keys.values())


def _partition(consumer: KafkaConsumer, topic: str, key: str) -> TopicPartition:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicMissing(topic)
    return TopicPartition(topic, partition_of(key.encode(), len(numbers)))
