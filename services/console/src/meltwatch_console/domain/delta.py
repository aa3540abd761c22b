"""The scores that browsers are sent: once a second those furnaces that look different."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

REPEATED_AFTER_MS: Final = 5_000
"""A furnace that looks the same is told again, so that a page knows it from a silent one."""
MOST: Final = 9_999
"""Tenths of a score beyond which nobody sees a difference; JSON has no infinity."""


class _Told(NamedTuple):
    tenths: int | None
    flags: int
    end_ms: int


class ScoreDelta:
    """The newest score of each furnace, and which of them are still to be told."""

    def __init__(self) -> None:
        self._newest: dict[int, _Told] = {}
        self._told: dict[int, _Told] = {}
        self._due: dict[int, None] = {}

    def note(self, index: int, score: float | None, flags: int, end_ms: int) -> None:
        """Take a furnace's score; one that is not newer than the last says nothing.

        Parameters
        ----------
        index
            The furnace.
        score
            None when unscored.
        flags
            See ``flags.py``.
        end_ms
            End of its window.
        """
        known = self._newest.get(index)
        if known is not None and end_ms <= known.end_ms:
            return
        tenths = None if score is None else max(-MOST, min(MOST, round(score * 10)))
        now = self._newest[index] = _Told(tenths, flags, end_ms)
        told = self._told.get(index)
        looks_same = told is not None and (told.tenths, told.flags) == (tenths, flags)
        if not looks_same or told is None or end_ms - told.end_ms >= REPEATED_AFTER_MS:
            self._due[index] = None
        elif now.tenths == told.tenths:
            self._due.pop(index, None)

    def drain(self) -> bytes:
        """Return the rows ``[index, tenths, flags, end_ms]`` that are due, JSON; empty if none."""
        if not self._due:
            return b""
        rows = [(index, *self._newest[index]) for index in self._due]
        self._told |= {index: self._newest[index] for index in self._due}
        self._due.clear()
        return _encoded(rows)

    def snapshot(self) -> bytes:
        """Return the rows ``[index, end_ms, tenths, flags]`` of all furnaces, JSON."""
        return _encoded(
            [(index, each.end_ms, each.tenths, each.flags) for index, each in self._newest.items()]
        )


def _encoded(rows: Sequence[tuple[int | None, ...]]) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode()
