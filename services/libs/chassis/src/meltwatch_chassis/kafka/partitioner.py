"""Which partition a key belongs to: Kafka's murmur2, as the Java client does it."""

from collections.abc import Iterable

from kafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: the positive part of its hash modulo their number."""
    number: int = murmur2(key) & 0x7FFFFFFF
    return number % partitions


def misplaced(found: Iterable[tuple[bytes, int]], partitions: int) -> dict[bytes, int]:
    """Return the keys that stand where they do not belong, and where they do stand.

    Parameters
    ----------
    found
        Keys of records, and the partition of each.
    partitions
        How many the topic has.
    """
    return {key: number for key, number in found if partition_of(key, partitions) != number}
