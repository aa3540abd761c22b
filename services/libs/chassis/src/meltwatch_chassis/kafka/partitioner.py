"""Which partition a key belongs to: Kafka's murmur2, as the Java client does it."""

from kafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: the positive part of its hash modulo their number."""
    number: int = murmur2(key) & 0x7FFFFFFF
    return number % partitions
