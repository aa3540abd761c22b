"""How far this host's clock may be off, as the kernel knows it."""

import ctypes
import struct
import sys
from functools import cache
from typing import Final

_TIMEX_BYTES: Final = 256
_FIELDS: Final = struct.Struct("=i4xqqqqi")
"""``struct timex`` of 64-bit Linux: modes, offset, freq, maxerror, esterror, status."""
_UNSYNCHRONISED: Final = 0x40
UNKNOWN_NS: Final = 16_000_000_000
"""What the kernel itself says of a clock that nobody sets."""


def host_error_ns() -> int:
    """Return the bound of the error of this host's clock, ns; 16 s if nobody keeps it right."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return UNKNOWN_NS
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    if _c_library().adjtimex(buffer) < 0:
        return UNKNOWN_NS
    _, _, _, most_us, _, status = _FIELDS.unpack_from(buffer.raw)
    return UNKNOWN_NS if status & _UNSYNCHRONISED else min(int(most_us) * 1000, UNKNOWN_NS)


@cache
def _c_library() -> ctypes.CDLL:
    """Return the library of C; to open it costs a hundred times what a call does."""
    return ctypes.CDLL(None)
