"""Waits for the pipeline to finish with what the producers sent."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from meltwatch_local_cluster.servers.kafka import kafka_answers

_POLL_S = 0.25
_QUIET_S = 2.0


def wait_until_quiet(
    connection: Mapping[str, Any], topics: Sequence[str], limit_s: float = 10.0
) -> bool:
    """Wait until no record has come to some topics for two seconds.

    Parameters
    ----------
    connection
        Arguments of a Kafka client.
    topics
        Names of the topics that the pipeline writes.
    limit_s
        How long to wait at most, seconds.

    Returns
    -------
    Whether it became quiet; False also when the broker does not answer.
    """
    end_s = time.monotonic() + limit_s
    if not kafka_answers(connection):
        return False
    consumer = KafkaConsumer(**connection)
    try:
        last, since_s = _ends(consumer, topics), time.monotonic()
        while time.monotonic() < end_s:
            if time.monotonic() - since_s >= _QUIET_S:
                return True
            time.sleep(_POLL_S)
            if (ends := _ends(consumer, topics)) != last:
                last, since_s = ends, time.monotonic()
    except KafkaError:
        return False
    finally:
        consumer.close()
    return False


def _ends(consumer: KafkaConsumer, topics: Sequence[str]) -> dict[TopicPartition, int]:
    partitions = [
        TopicPartition(topic, partition)
        for topic in topics
        for partition in consumer.partitions_for_topic(topic) or ()
    ]
    return dict(consumer.end_offsets(partitions))
