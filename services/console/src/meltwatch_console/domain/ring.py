"""What traces show of a furnace: each window of the last hour, the extremes of each minute before.

A window takes 16 bytes, a minute 13. Memory grows with what is held, up to a bound.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOWS_KEPT: Final = 2_500
"""One hour of the published spec."""
MINUTES_KEPT: Final = 7 * 24 * 60
_FIRST: Final = 64
_MINUTE_MS: Final = 60_000
WINDOW: Final = np.dtype(
    [("key", "<i8"), ("score", "<f4"), ("flags", "u1"), ("video", "u1"), ("current", "u1"),
     ("spare", "u1")]
)  # fmt: skip
MINUTE: Final = np.dtype([("key", "<i4"), ("low", "<f4"), ("high", "<f4"), ("flags", "u1")])
_WHOLE: Final = 255


class SeenWindow(NamedTuple):
    """What is kept of a score.

    Attributes
    ----------
    end_ms
        Its window's end.
    score
        None when unscored.
    flags
        As the stream tells them: see ``flags.py``.
    video, current
        Coverages, 0..1.
    """

    end_ms: int
    score: float | None
    flags: int
    video: float = 1.0
    current: float = 1.0


class TraceRow(NamedTuple):
    """One point of a trace: a window, or the extremes of several.

    Attributes
    ----------
    end_ms
        End of the last of them.
    low, high
        None where none of them has a score.
    flags
        Of all of them together.
    """

    end_ms: int
    low: float | None
    high: float | None
    flags: int


class _Ring:
    """Rows in the order of their keys, of which the newest are kept."""

    def __init__(self, dtype: np.dtype[Any], most: int) -> None:
        self._rows: NDArray[Any] = np.zeros(min(_FIRST, most), dtype)
        self._most = most
        self._first = 0
        self.count = 0

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes

    @property
    def is_full(self) -> bool:
        return self.count == self._most

    @property
    def last_key(self) -> int | None:
        return None if not self.count else int(self._rows[self._place(self.count - 1)]["key"])

    def _place(self, index: int) -> int:
        return (self._first + index) % self._rows.size

    def append(self, row: tuple[Any, ...]) -> None:
        """Take a row whose key is greater than all."""
        if self.count == self._rows.size < self._most:
            self._hold(self.ordered(), min(2 * self._rows.size, self._most))
        self._rows[self._place(self.count)] = row
        if self.count == self._rows.size:
            self._first = self._place(1)
        else:
            self.count += 1

    def last(self) -> Any:
        """Return the newest row, to be changed in place."""
        return self._rows[self._place(self.count - 1)]

    def ordered(self) -> NDArray[Any]:
        """Return a copy of all rows, oldest first."""
        return np.roll(self._rows, -self._first)[: self.count]

    def put_all(self, rows: NDArray[Any]) -> None:
        """Hold these rows, oldest first, in place of all."""
        kept = rows[-self._most :]
        size = self._rows.size
        while size < kept.size:
            size = min(2 * size, self._most)
        self._hold(kept, size)

    def _hold(self, rows: NDArray[Any], size: int) -> None:
        held = np.zeros(size, self._rows.dtype)
        held[: rows.size] = rows
        self._rows, self._first, self.count = held, 0, rows.size


class WindowRing:
    """The windows of one furnace.

    Windows may come in any order, and again: the first that came of an instant stands.
    """

    def __init__(self, windows: int = WINDOWS_KEPT, minutes: int = MINUTES_KEPT) -> None:
        self._windows = _Ring(WINDOW, windows)
        self._minutes = _Ring(MINUTE, minutes)

    @property
    def nbytes(self) -> int:
        """Memory of the rows."""
        return self._windows.nbytes + self._minutes.nbytes

    def held(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return copies of all windows and minutes, oldest first."""
        return self._windows.ordered(), self._minutes.ordered()

    def restore(self, windows: NDArray[Any], minutes: NDArray[Any]) -> None:
        """Hold what a ring had held; see ``ring_block.py`` for what has been checked."""
        self._windows.put_all(windows)
        self._minutes.put_all(minutes)

    def add_windows(self, windows: Iterable[SeenWindow]) -> None:
        """Take what was seen of windows."""
        earlier = []
        for window in windows:
            last = self._windows.last_key
            if last is None or window.end_ms > last:
                self._windows.append(_window_row(window))
                self._add_to_minute(window)
            else:
                earlier.append(window)
        if earlier:
            self._merge(earlier)

    def since_ms(self) -> int | None:
        """Return from when on anything is known; None if nothing is."""
        minutes, windows = self._minutes.ordered(), self._windows.ordered()
        starts = [int(minutes["key"][0]) * _MINUTE_MS] if minutes.size else []
        # The first minute may have begun before the first window that is known.
        if windows.size and (
            not minutes.size or windows["key"][0] // _MINUTE_MS == minutes["key"][0]
        ):
            starts = [int(windows["key"][0])]
        return min(starts, default=None)

    def rows(self, since_ms: int, until_ms: int, step_ms: int = 0) -> list[TraceRow]:
        """Return the trace of ``[since, until)``, oldest first.

        Parameters
        ----------
        since_ms, until_ms
            Of window ends.
        step_ms
            0 gives each window, and minutes where windows are no longer held; else the extremes
            of each step, counted from 0.
        """
        windows, minutes = self._windows.ordered(), self._minutes.ordered()
        first_ms = int(windows["key"][0]) if windows.size else until_ms
        starts_ms = minutes["key"].astype(np.int64) * _MINUTE_MS
        # Of its own minute the first window that is held may be the last that is left.
        before_ms = first_ms if self._windows.is_full else first_ms // _MINUTE_MS * _MINUTE_MS
        is_old = starts_ms < before_ms
        old, ends = minutes[is_old], np.minimum(starts_ms[is_old] + _MINUTE_MS, first_ms) - 1
        merged = [
            (int(end), *_extremes(row["low"], row["high"]), int(row["flags"]))
            for end, row in zip(ends, old, strict=True)
            if since_ms <= end < until_ms
        ]
        within = windows[(windows["key"] >= since_ms) & (windows["key"] < until_ms)]
        merged += [
            (int(row["key"]), *_extremes(row["score"], row["score"]), int(row["flags"]))
            for row in within
        ]
        rows = [TraceRow(*each) for each in merged]
        return _by_step(rows, step_ms) if step_ms > 0 else rows

    def _add_to_minute(self, window: SeenWindow) -> None:
        minute = window.end_ms // _MINUTE_MS
        if self._minutes.last_key != minute:
            self._minutes.append(_minute_row(window))
            return
        row = self._minutes.last()
        if window.score is not None:
            row["low"] = np.fmin(row["low"], np.float32(window.score))
            row["high"] = np.fmax(row["high"], np.float32(window.score))
        row["flags"] |= window.flags

    def _merge(self, windows: list[SeenWindow]) -> None:
        held = self._windows.ordered()
        rows = np.array([_window_row(window) for window in windows], WINDOW)
        new = rows[~np.isin(rows["key"], held["key"])]
        _, firsts = np.unique(new["key"], return_index=True)
        new = new[firsts]
        both = np.concatenate([held, new])
        self._windows.put_all(both[np.argsort(both["key"], kind="stable")])
        if new.size:
            self._merge_minutes(new)

    def _merge_minutes(self, new: NDArray[Any]) -> None:
        held = self._minutes.ordered()
        rows = np.zeros(new.size, MINUTE)
        rows["key"] = new["key"] // _MINUTE_MS
        rows["low"] = rows["high"] = new["score"]
        rows["flags"] = new["flags"]
        both = np.concatenate([held, rows])
        both = both[np.argsort(both["key"], kind="stable")]
        keys, firsts = np.unique(both["key"], return_index=True)
        merged = np.zeros(keys.size, MINUTE)
        merged["key"] = keys
        merged["low"] = np.fmin.reduceat(both["low"], firsts)
        merged["high"] = np.fmax.reduceat(both["high"], firsts)
        merged["flags"] = np.bitwise_or.reduceat(both["flags"], firsts)
        self._minutes.put_all(merged)


def _window_row(window: SeenWindow) -> tuple[Any, ...]:
    score = np.nan if window.score is None else window.score
    shares = [round(share * _WHOLE) for share in (window.video, window.current)]
    return (window.end_ms, score, window.flags, *shares, 0)


def _minute_row(window: SeenWindow) -> tuple[Any, ...]:
    score = np.nan if window.score is None else window.score
    return (window.end_ms // _MINUTE_MS, score, score, window.flags)


def _extremes(low: Any, high: Any) -> tuple[float | None, float | None]:
    return (None, None) if np.isnan(low) else (float(low), float(high))


def _by_step(rows: list[TraceRow], step_ms: int) -> list[TraceRow]:
    steps: dict[int, TraceRow] = {}
    for row in rows:
        step = row.end_ms // step_ms
        before = steps.get(step)
        steps[step] = row if before is None else _both(before, row)
    return list(steps.values())


def _both(one: TraceRow, later: TraceRow) -> TraceRow:
    lows = [low for low in (one.low, later.low) if low is not None]
    highs = [high for high in (one.high, later.high) if high is not None]
    return TraceRow(
        later.end_ms, min(lows, default=None), max(highs, default=None), one.flags | later.flags
    )
