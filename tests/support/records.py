"""All records of a topic, as they stand in Kafka."""

from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.record import RawRecord


def records_of(kafka: str, topic: str) -> list[RawRecord]:
    """Read a topic from its beginning to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=kafka)
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    found = []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(timeout_ms=500).values():
            found += [
                RawRecord(
                    r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)
                )
                for r in records
            ]
    consumer.close()
    return found
