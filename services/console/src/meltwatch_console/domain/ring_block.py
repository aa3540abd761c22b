"""A furnace's ring as bytes, kept over a restart. What is read back is checked as any input is.

A file is a line that names the form, a block a furnace, and a last line. A block is a line of JSON
and the rows as they are in memory.
"""

import json
import zlib
from typing import Any, Final, NamedTuple

import numpy as np
from meltwatch_schemas.identifiers import is_path
from numpy.typing import NDArray

from meltwatch_console.domain.ring import (
    MINUTE,
    MINUTES_KEPT,
    WINDOW,
    WINDOWS_KEPT,
    WindowRing,
)
from meltwatch_console.errors import RingRefused

FORM: Final = b"meltwatch-ring/1\n"
MAX_HEAD: Final = 1_024
_AHEAD_MS: Final = 60_000
"""A window that ends later than this would be none of the past."""
_MINUTE_MS: Final = 60_000


class BlockHead(NamedTuple):
    """What stands before the rows of a furnace.

    Attributes
    ----------
    furnace
        Its id.
    windows, minutes
        How many rows of each.
    crc
        Of the rows.
    """

    furnace: str
    windows: int
    minutes: int
    crc: int

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.windows * WINDOW.itemsize + self.minutes * MINUTE.itemsize


def ring_block(furnace_id: str, ring: WindowRing) -> bytes:
    """Return a furnace's block."""
    windows, minutes = ring.held()
    rows = windows.tobytes() + minutes.tobytes()
    head = BlockHead(furnace_id, windows.size, minutes.size, zlib.crc32(rows))
    return json.dumps(head._asdict()).encode() + b"\n" + rows


def last_line(blocks: int, saved_ms: int) -> bytes:
    """Return the end of a file: without it the file is torn."""
    return json.dumps({"blocks": blocks, "saved_ms": saved_ms}).encode() + b"\n"


def read_head(line: bytes) -> BlockHead:
    """Return the head of a block.

    Raises
    ------
    RingRefused
        If it is none.
    """
    told = _object(line)
    try:
        head = BlockHead(**told)
    except TypeError:
        raise RingRefused(f"expected the head of a block, got {line[:100]!r}") from None
    counts = ((head.windows, WINDOWS_KEPT), (head.minutes, MINUTES_KEPT), (head.crc, 2**32 - 1))
    if not all(type(count) is int and 0 <= count <= most for count, most in counts):
        raise RingRefused(f"expected counts within their bounds, got {head.windows!r} windows, "
                          f"{head.minutes!r} minutes, crc {head.crc!r}")  # fmt: skip
    if not isinstance(head.furnace, str) or not is_path(head.furnace):
        raise RingRefused(f"expected a furnace id, got {str(head.furnace)[:100]!r}")
    return head


def read_end(line: bytes, blocks: int) -> int | None:
    """Return when a file was saved (ms), None if a line is not its last one.

    Raises
    ------
    RingRefused
        If it is the last one of another file.
    """
    told = _object(line)
    if told.keys() != {"blocks", "saved_ms"}:
        return None
    saved_ms = told["saved_ms"]
    if told["blocks"] != blocks or type(saved_ms) is not int or saved_ms < 0:
        raise RingRefused(f"expected the end of {blocks} blocks, got {line[:100]!r}")
    return saved_ms


def restored_ring(head: BlockHead, rows: bytes, now_ms: int) -> WindowRing:
    """Return the ring of a block.

    Raises
    ------
    RingRefused
        If the rows are torn, in disorder, of the future, or no numbers.
    """
    if len(rows) != head.size or zlib.crc32(rows) != head.crc:
        raise RingRefused(f"{head.furnace}: expected {head.size} bytes as they were written")
    split = head.windows * WINDOW.itemsize
    windows, minutes = np.frombuffer(rows[:split], WINDOW), np.frombuffer(rows[split:], MINUTE)
    latest_ms = now_ms + _AHEAD_MS
    _check_keys(head.furnace, windows["key"], latest_ms)
    _check_keys(head.furnace, minutes["key"], latest_ms // _MINUTE_MS)
    for values in (windows["score"], minutes["low"], minutes["high"]):
        if np.isinf(values).any():
            raise RingRefused(f"{head.furnace}: expected finite scores")
    made = WindowRing()
    made.restore(windows, minutes)
    return made


def _check_keys(furnace_id: str, keys: NDArray[Any], latest: int) -> None:
    whole = keys.astype(np.int64)
    if whole.size and (whole[0] < 0 or whole[-1] > latest or (np.diff(whole) <= 0).any()):
        raise RingRefused(f"{furnace_id}: expected instants of the past in order")


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise RingRefused(f"expected a line of JSON, got {line[:100]!r}")
    return told
