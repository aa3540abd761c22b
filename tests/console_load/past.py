"""Traces of a plant that has run for a week, in the file that a console takes them over from."""

from pathlib import Path

import numpy as np
from meltwatch_console.adapters.ring_file import RingFile
from meltwatch_console.domain.ring import (
    MINUTE,
    MINUTES_KEPT,
    WINDOW,
    WINDOWS_KEPT,
    WindowRing,
)
from meltwatch_console.domain.ring_block import ring_block
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

_MINUTE_MS = 60_000


def write_past(folder: Path, furnaces: list[str], now_ms: int) -> None:
    """Write as much of each furnace as a console ever holds."""
    hop_ms = PUBLISHED_SPEC.hop_ns // NS_PER_MS
    windows = np.zeros(WINDOWS_KEPT, WINDOW)
    windows["key"] = now_ms - hop_ms * np.arange(WINDOWS_KEPT, 0, -1)
    minutes = np.zeros(MINUTES_KEPT, MINUTE)
    minutes["key"] = now_ms // _MINUTE_MS - np.arange(MINUTES_KEPT, 0, -1)
    for each, names in ((windows, ["score"]), (minutes, ["low", "high"])):
        for name in names:
            each[name] = -3.0
    ring = WindowRing()
    ring.restore(windows, minutes)
    with RingFile(folder, len(furnaces)).writing(now_ms) as sink:
        for name in furnaces:
            sink.write(ring_block(name, ring))
