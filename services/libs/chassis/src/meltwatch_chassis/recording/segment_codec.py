"""Records of one partition as bytes: msgpack arrays, one after the other.

``[offset, timestamp_ms, key, value, [[header, value], …]]``: topic and partition stand in the
manifest.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgpack
from meltwatch_schemas.record import RawRecord

from meltwatch_chassis.errors import BrokenRecording
from meltwatch_chassis.recording.manifest import MAX_SEGMENT_BYTES

_MAX_HEADERS: Final = 64 * 1024


def pack_record(record: RawRecord) -> bytes:
    """Return a record's bytes."""
    packed: bytes = msgpack.packb(
        (record.offset, record.timestamp_ms, record.key, record.value, record.headers)
    )
    return packed


def unpack_records(data: bytes, topic: str, partition: int) -> Iterator[RawRecord]:
    """Yield the records of a segment.

    Parameters
    ----------
    data
        The whole of it.
    topic, partition
        Where they are from: full name of the topic.

    Raises
    ------
    BrokenRecording
        If it is not whole records one after the other, within the limits.
    """
    unpacker = msgpack.Unpacker(
        raw=False,
        max_buffer_size=MAX_SEGMENT_BYTES,
        max_array_len=_MAX_HEADERS,
        max_map_len=0,
        max_ext_len=0,
    )
    whole = 0
    try:
        unpacker.feed(data)
        for fields in unpacker:
            whole = unpacker.tell()
            yield _record(fields, topic, partition)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BrokenRecording(f"expected records, got {error!r}") from error
    if whole != len(data):
        raise BrokenRecording("expected whole records, the last one is cut off")


def _record(fields: Any, topic: str, partition: int) -> RawRecord:
    offset, timestamp_ms, key, value, headers = fields
    if not (_is_whole(offset) and _is_whole(timestamp_ms) and _is_bytes(key) and _is_bytes(value)):
        raise TypeError(f"offset {offset!r}, timestamp {timestamp_ms!r}")
    pairs = tuple((name, content) for name, content in headers)
    if not all(isinstance(name, str) and _is_bytes(content) for name, content in pairs):
        raise TypeError(f"headers of offset {offset}")
    return RawRecord(topic, partition, offset, timestamp_ms, key, value, pairs)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_bytes(value: object) -> bool:
    return value is None or isinstance(value, bytes)
