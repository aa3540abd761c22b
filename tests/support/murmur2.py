"""Kafka's partitioner, written once more after the Java client: the oracle for all the others."""


def murmur2(key: bytes) -> int:
    """Hash bytes as Kafka's Java client does; unsigned, 32 bits."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    result = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        result = (result * factor & mask) ^ word
    if rest := key[whole:]:
        result = (result ^ int.from_bytes(rest, "little")) * factor & mask
    result = (result ^ result >> 13) * factor & mask
    return result ^ result >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Give the partition of a key: the positive part of its hash modulo their number."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
