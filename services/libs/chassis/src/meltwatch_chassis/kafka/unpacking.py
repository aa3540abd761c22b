"""Unpacks what Kafka's codecs have packed, into a buffer of fixed size.

A few kB may unpack to gigabytes, and what a packed text says of its own size may be a lie. So the
buffer is made first, and a codec that needs more fails at its end.
"""

import mmap
import threading
from collections.abc import Callable
from typing import Final

import cramjam
from meltwatch_schemas.errors import ContractViolation, Refusal, malformed

_XERIAL: Final = b"\x82SNAPPY\x00"
"""So Java's snappy begins: 8 more bytes of versions, then blocks, each behind its length."""
_XERIAL_HEAD: Final = 16
_LENGTH: Final = 4
_NO_ROOM: Final = ("failed to write whole buffer", "output buffer", "too much memory")
"""What the codecs raise at the end of the buffer."""


MOST_BYTES: Final = 8 * 1024 * 1024
"""Unpacked; as much as the largest of our topics, the dead letters, takes of what is not packed."""


class _Room(threading.local):
    """Each thread's buffer. Pages that were never written cost no memory."""

    def __init__(self) -> None:
        self.view = memoryview(mmap.mmap(-1, MOST_BYTES))


_room = _Room()


def unpack(codec: int, packed: memoryview) -> bytes:
    """Return what a codec of Kafka's protocol has packed.

    Parameters
    ----------
    codec
        Its number: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    packed
        What came.

    Raises
    ------
    ContractViolation
        ``too_large`` if it has more, ``malformed`` if it cannot be unpacked.
    """
    if codec not in _CODECS:
        raise malformed(f"expected a codec of 1..4, got {codec}")
    name, unpack_into = _CODECS[codec]
    try:
        return bytes(_room.view[: unpack_into(packed, _room.view)])
    except cramjam.DecompressionError as error:
        if not any(sign in str(error) for sign in _NO_ROOM):
            raise malformed(f"expected {name}, got {error}"[:200]) from error
        raise ContractViolation(
            Refusal.TOO_LARGE,
            f"expected at most {MOST_BYTES} bytes, {len(packed)} of {name} unpack to more",
        ) from error


def _unpack_snappy(packed: memoryview, room: memoryview) -> int:
    into = cramjam.snappy.decompress_raw_into
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        return into(packed, room)
    size, at = 0, _XERIAL_HEAD
    while at < len(packed):
        begin = at + _LENGTH
        at = begin + int.from_bytes(packed[at:begin], "big")
        if at > len(packed):
            raise malformed(f"expected a block of snappy up to {at}, got {len(packed)} bytes")
        size += into(packed[begin:at], room[size:])
    return size


_CODECS: Final[dict[int, tuple[str, Callable[[memoryview, memoryview], int]]]] = {
    1: ("gzip", cramjam.gzip.decompress_into),
    2: ("snappy", _unpack_snappy),
    3: ("lz4", cramjam.lz4.decompress_into),
    4: ("zstd", cramjam.zstd.decompress_into),
}
