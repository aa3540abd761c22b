"""The scores that browsers are sent: once a second those furnaces that look different.

A furnace told window after window needs no time: each ends a hop after the one told before.
"""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

REPEATED_AFTER_MS: Final = 5_000
"""A furnace that looks the same is told again, so that a page knows it from a silent one."""
HOP_MS: Final = PUBLISHED_SPEC.hop_ns // NS_PER_MS
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
        """Return the rows that are due, JSON; empty if none.

        A row is ``[index, tenths, flags, end_ms]``. It has no ``end_ms`` where its window ends a
        hop after the one that was told of this furnace before.
        """
        if not self._due:
            return b""
        rows = [self._row(index) for index in self._due]
        self._told |= {index: self._newest[index] for index in self._due}
        self._due.clear()
        return _encoded(rows)

    def snapshot(self) -> bytes:
        """Return the rows ``[index, end_ms, tenths, flags]`` of all that was told, JSON.

        What is still due is left to the next rows: they go on from here.
        """
        return _encoded(
            [(index, each.end_ms, each.tenths, each.flags) for index, each in self._told.items()]
        )

    def _row(self, index: int) -> tuple[int | None, ...]:
        now, told = self._newest[index], self._told.get(index)
        if told is not None and now.end_ms == told.end_ms + HOP_MS:
            return (index, now.tenths, now.flags)
        return (index, now.tenths, now.flags, now.end_ms)


def _encoded(rows: Sequence[tuple[int | None, ...]]) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode()
