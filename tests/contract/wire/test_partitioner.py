"""Every client of the house puts a key into the partition where Java's would."""

import zlib

import pytest
from aiokafka.partitioner import DefaultPartitioner as AiokafkaPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.partitioner.default import murmur2 as kafka_python_murmur2
from meltwatch_chassis.kafka.partitioner import misplaced
from meltwatch_simulator import furnace_ids

from tests.support.murmur2 import murmur2, partition_of

KEYS = st.binary(max_size=200)
# Of Kafka's own UtilsTest: what Java's client gives.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", JAVA)
def test_our_murmur2_is_that_of_java(key: bytes) -> None:
    assert murmur2(key) == JAVA[key] & 0xFFFFFFFF


@given(KEYS, st.integers(1, 100))
def test_kafka_python_and_aiokafka_partition_by_murmur2(key: bytes, partitions: int) -> None:
    expected = partition_of(key, partitions)
    everyone = list(range(partitions))

    assert kafka_python_murmur2(key) & 0x7FFFFFFF == murmur2(key) & 0x7FFFFFFF
    assert AiokafkaPartitioner()(key, everyone, everyone) == expected


class Cluster:
    """What the partitioner asks of the cluster's metadata: one topic of twelve partitions."""

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(12))

    available_partitions_for_topic = partitions_for_topic


def test_the_partitioner_that_kafka_python_takes_by_default_is_murmur2() -> None:
    partitioner = KafkaProducer.DEFAULT_CONFIG["partitioner"]

    for name in furnace_ids(100):
        key = name.encode()
        found = partitioner.partition("t", key, key, b"", b"", Cluster())
        assert found == partition_of(key, 12)


@given(st.integers(2, 100))
def test_keys_of_librdkafkas_default_stand_elsewhere_and_are_found(partitions: int) -> None:
    """It is CRC32 of the key; ``partitioner=murmur2_random`` mends it."""
    keys = [name.encode() for name in furnace_ids(100)]
    theirs = [(key, zlib.crc32(key) % partitions) for key in keys]
    ours = [(key, partition_of(key, partitions)) for key in keys]

    assert misplaced(ours, partitions) == {}
    found = misplaced(theirs, partitions)
    assert found == {key: number for key, number in theirs if (key, number) not in ours}
    assert len(found) >= 25
