"""Reads PNG with the standard library alone: eight bits, grey or RGB, unfiltered."""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pixels_of(png: bytes) -> NDArray[np.uint8]:
    """Return the pixels: ``(rows, columns)`` of a grey picture, ``(rows, columns, 3)`` of RGB."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        chunks[kind] = chunks.get(kind, b"") + data
        at += 12 + length
    columns, rows, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert depth == 8
    depth_of: dict[int, int] = {0: 1, 2: 3}
    values = depth_of[colour]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any(), "expected unfiltered lines"
    pixels: NDArray[Any] = lines[:, 1:].reshape(rows, columns, values)
    return pixels[:, :, 0] if values == 1 else pixels
