"""A furnace's picture as PNG, and where its anomaly map says something.

PNG is written by hand: eight bits, grey or RGB, unfiltered, 64 x 64.
"""

import struct
import zlib
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.wording import place_text

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES: Final = {2: 0, 3: 2}
_LEVEL: Final = 6
AnomalyMap: TypeAlias = NDArray[np.uint8]
"""Shape ``(64, 64)``, 0..255 for 0..1."""
LIMIT: Final = 0.5
_LEVELS: Final = 255


class MarkedSpot(NamedTuple):
    """What of a picture the map marks.

    Attributes
    ----------
    cells
        ``(row, column)`` of each pixel from the limit on, in the order of reading.
    share
        Of the picture, 0..1.
    place
        Two words, e.g. ``lower middle``; empty without any pixel.
    """

    cells: list[tuple[int, int]]
    share: float
    place: str


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG.

    Parameters
    ----------
    pixels
        Shape ``(rows, columns)`` grey, or ``(rows, columns, 3)`` RGB.
    """
    rows, columns = pixels.shape[:2]
    lines = np.zeros((rows, 1 + pixels[0].size), np.uint8)  # each begins with filter 0
    lines[:, 1:] = pixels.reshape(rows, -1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, _COLOUR_TYPES[pixels.ndim], 0, 0, 0)
    data = zlib.compress(lines.tobytes(), _LEVEL)
    return _SIGNATURE + b"".join(
        (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    )


def spot_of(anomaly_map: AnomalyMap) -> MarkedSpot:
    """Return what a map marks."""
    marked = anomaly_map >= LIMIT * _LEVELS
    rows, columns = np.nonzero(marked)
    cells = list(zip(rows.tolist(), columns.tolist(), strict=True))
    if not cells:
        return MarkedSpot([], 0.0, "")
    height, width = marked.shape
    place = place_text(float(rows.mean() / height), float(columns.mean() / width))
    return MarkedSpot(cells, len(cells) / marked.size, place)


def outline_of(anomaly_map: AnomalyMap) -> str:
    """Return the border of what a map marks as an SVG path, one unit a pixel; empty without any."""
    marked = np.pad(anomaly_map >= LIMIT * _LEVELS, 1)
    across, down = marked[1:, 1:-1] != marked[:-1, 1:-1], marked[1:-1, 1:] != marked[1:-1, :-1]
    steps = [
        f"M{x} {y}h1" for y, x in zip(*map(np.ndarray.tolist, np.nonzero(across)), strict=True)
    ]
    steps += [f"M{x} {y}v1" for y, x in zip(*map(np.ndarray.tolist, np.nonzero(down)), strict=True)]
    return "".join(steps)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
