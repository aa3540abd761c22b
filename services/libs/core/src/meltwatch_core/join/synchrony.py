"""How well the two clocks of a furnace agree, estimated every minute of event time.

Brightness follows the arcs: where its changes are those of the currents some time ago, that time
is the difference of the clocks plus the furnace's own lag. Both signals of the last ten minutes
are put on one grid, freed of what is slower than the arcs or faster than 2 Hz sampling can show,
and cross-correlated. What does not stand out clearly is no estimate at all.

Telemetry beside the join: it changes no window. A restart loses it, and ten minutes later it knows
the skew again.
"""

import math
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

import numpy as np
import structlog
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from numpy.typing import NDArray

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.frames import GreysOf
from meltwatch_core.join.window import Outcome

SPAN_NS: Final = 600 * NS_PER_S
"""Memory of an estimate: shorter ones err more, longer ones are slow to see a clock step."""
CELL_NS: Final = 250 * NS_PER_MS
"""Denser events are averaged: more than 4 Hz tells nothing beside currents of 2 Hz."""
CAPACITY: Final = SPAN_NS // CELL_NS + 1
_FIRST_CAPACITY: Final = 16
MAX_LAG_S: Final = 5.0
MIN_PEAK: Final = 0.3
"""Unrelated signals of ten minutes stay below it, whatever they are like: see docs/clocks.md."""
MAX_SECOND_PEAK: Final = 0.8
"""Share of the first peak: with a higher second one, the true peak would be a guess."""

STEP_S: Final = 0.1
_POINTS: Final = round(SPAN_NS / NS_PER_S / STEP_S)
_LAGS: Final = round(MAX_LAG_S / STEP_S)
# Next power of two that keeps circular correlation apart from its wrapped ends.
_TRANSFORM: Final = 1 << (_POINTS + _LAGS).bit_length()
_SMOOTH_POINTS: Final = round(0.5 / STEP_S)
"""One period of the meter: images that interpolation leaves above 1 Hz go."""
_DRIFT_POINTS: Final = round(8.0 / STEP_S)
"""Daylight, lamps, mist and electrode moves are slower; they resemble each other by chance."""
_MAX_HOLE_S: Final = 2.2
"""Three missing frames; nothing is made up for longer holes."""
_MIN_SHARE: Final = 0.8
_CLIP: Final = 4.0
"""In standard deviations: a single flare or drop-out must not decide the correlation."""
_RESOLUTION: Final = 1e-6
"""Share of the level: smaller changes are rounding, not a signal."""


class SignalTrace:
    """A signal over the last ten minutes of event time, in at most 40 kB whatever its rate.

    Events of one quarter of a second are kept as their mean, in time and value. A short signal
    holds little.
    """

    def __init__(self) -> None:
        self._times_ns = np.zeros(_FIRST_CAPACITY, np.int64)
        self._values = np.zeros(_FIRST_CAPACITY)
        self._kept = 0
        self._newest_cell = -1
        self._in_newest_cell = 0

    def add_value(self, time_ns: int, value: float) -> None:
        """Take an event; one that is older than the newest cell is passed over.

        Parameters
        ----------
        time_ns
            Event time, at least 0.
        value
            Finite.
        """
        cell = time_ns // CELL_NS
        if cell < self._newest_cell:
            return
        if cell > self._newest_cell:
            self._newest_cell, self._in_newest_cell = cell, 0
            self._kept += 1
        if self._kept > self._values.size < CAPACITY:
            self._grow()
        slot = (self._kept - 1) % CAPACITY
        self._in_newest_cell += 1
        if self._in_newest_cell == 1:
            self._times_ns[slot], self._values[slot] = time_ns, value
            return
        self._times_ns[slot] += (time_ns - self._times_ns[slot]) // self._in_newest_cell
        self._values[slot] += (value - self._values[slot]) / self._in_newest_cell

    def _grow(self) -> None:
        more = min(self._values.size, CAPACITY - self._values.size)
        self._times_ns = np.pad(self._times_ns, (0, more))
        self._values = np.pad(self._values, (0, more))

    def since(self, time_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the events from an instant on, at most ten minutes of them.

        Returns
        -------
        Seconds since the instant, strictly increasing, and the values; both ``(n,)``, float64.
        """
        order = np.arange(max(0, self._kept - CAPACITY), self._kept) % CAPACITY
        elapsed_ns = self._times_ns[order] - time_ns
        recent = order[elapsed_ns >= 0]
        return (self._times_ns[recent] - time_ns) / NS_PER_S, self._values[recent]

    @property
    def size_bytes(self) -> int:
        """Memory that the trace holds, bytes."""
        return self._times_ns.nbytes + self._values.nbytes


def estimate_skew(video: SignalTrace, current: SignalTrace, now_ns: int) -> float | None:
    """Return by how much brightness lags behind current, in seconds, or None.

    Parameters
    ----------
    video
        Mean grey of the frames.
    current
        Sum of the phases' magnitudes, amperes.
    now_ns
        End of the span that is looked at: the newest event time of either.

    Returns
    -------
    Within ±5 s; None if less than 80 % of the ten minutes are covered by both, or no single peak
    of their correlation stands out.
    """
    correlation = cross_correlation(video, current, now_ns)
    peak = None if correlation is None else _outstanding_peak(correlation)
    return None if peak is None else (peak - _LAGS) * STEP_S


def cross_correlation(
    video: SignalTrace, current: SignalTrace, now_ns: int
) -> NDArray[np.float64] | None:
    """Return how alike the changes are when brightness lags by -5 s to 5 s, or None.

    Parameters
    ----------
    video, current, now_ns
        As in ``estimate_skew``.

    Returns
    -------
    Shape ``(101,)``, -1..1, one value in ``STEP_S``; None if either covers too little.
    """
    brightness, load = _changes(video, now_ns), _changes(current, now_ns)
    if brightness is None or load is None:
        return None
    spectrum = np.fft.rfft(brightness, _TRANSFORM) * np.conj(np.fft.rfft(load, _TRANSFORM))
    around_zero: NDArray[np.float64] = np.roll(np.fft.irfft(spectrum, _TRANSFORM), _LAGS)
    return around_zero[: 2 * _LAGS + 1]


def _changes(trace: SignalTrace, now_ns: int) -> NDArray[np.float64] | None:
    """Return a signal's changes on the grid, of mean 0 and norm 1, 0 in holes: ``(_POINTS,)``."""
    times_s, values = trace.since(now_ns - SPAN_NS)
    if not times_s.size:
        return None
    grid_s = np.arange(_POINTS) * STEP_S
    holes_s = np.diff(times_s, prepend=-np.inf, append=np.inf)
    covered = holes_s[np.searchsorted(times_s, grid_s)] <= _MAX_HOLE_S
    if covered.mean() < _MIN_SHARE:
        return None
    smooth = _moving_mean(np.interp(grid_s, times_s, values), _SMOOTH_POINTS)
    band = smooth - _moving_mean(smooth, _DRIFT_POINTS)
    deviation = 1.4826 * float(np.median(np.abs(band[covered])))
    if deviation <= _RESOLUTION * float(np.abs(values).max()):
        return None
    limited = np.clip(band / deviation, -_CLIP, _CLIP)
    centred = np.where(covered, limited - limited[covered].mean(), 0.0)
    changes: NDArray[np.float64] = centred / np.linalg.norm(centred)
    return changes


def _moving_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the mean over ``width`` points around each; the ends see themselves repeated."""
    padded = np.pad(values, (width // 2 + 1, width - width // 2 - 1), mode="edge")
    sums = np.cumsum(padded)
    return (sums[width:] - sums[:-width]) / width


def _outstanding_peak(correlation: NDArray[np.float64]) -> float | None:
    """Return the place of the one clear peak, in steps, between grid points by a parabola."""
    top = int(np.argmax(correlation))
    if not 0 < top < correlation.size - 1 or correlation[top] <= MIN_PEAK:
        return None
    rises = np.diff(correlation, prepend=-np.inf, append=-np.inf) > 0
    summits = rises[:-1] & ~rises[1:]
    summits[top] = False
    if correlation[summits].max(initial=0.0) >= MAX_SECOND_PEAK * correlation[top]:
        return None
    before, at, after = (float(correlation[top + step]) for step in (-1, 0, 1))
    return top + 0.5 * (before - after) / (before - 2 * at + after)


SYNC_SKEW: Final = Reason.SYNC_SKEW
_INTERVAL_NS: Final = 60 * NS_PER_S


class SkewLevel(IntEnum):
    """How bad a skew is, worse ones higher."""

    UNKNOWN = 0
    FINE = 1
    WARNING = 2
    ALARM = 3


_LIMITS_S: Final = {SkewLevel.ALARM: (0.25, 0.20), SkewLevel.WARNING: (0.10, 0.08)}
"""Magnitude from which a level holds, and below which it no longer does."""


class Synchrony:
    """The clocks of one furnace, from its first record to its retirement.

    Parameters
    ----------
    offset_s
        By how much brightness follows the current while both clocks are right, as commissioned.
    """

    def __init__(self, offset_s: float) -> None:
        self._offset_s = offset_s
        self._traces = {modality: SignalTrace() for modality in Modality}
        self._now_ns = 0
        self._next_ns: int | None = None
        self._told_ns = 0
        self.skew_s: float | None = None
        self.level = SkewLevel.UNKNOWN

    def note(self, modality: Modality, time_ns: int, value: float) -> None:
        """Take the mean grey of a frame, or the sum of a sample's magnitudes.

        Parameters
        ----------
        modality
            Which of them.
        time_ns
            Event time.
        value
            Finite.
        """
        self._traces[modality].add_value(time_ns, value)
        self._now_ns = max(self._now_ns, time_ns)

    def update(self) -> bool:
        """Estimate the skew if a minute has passed; tell whether its level is another one."""
        if self._next_ns is None:
            self._next_ns = self._now_ns + _INTERVAL_NS
        if self._now_ns < self._next_ns:
            return False
        self._next_ns = self._now_ns + _INTERVAL_NS
        lag_s = estimate_skew(
            self._traces[Modality.VIDEO], self._traces[Modality.CURRENT], self._now_ns
        )
        if lag_s is not None:
            self._told_ns, self.skew_s = self._now_ns, lag_s - self._offset_s
        elif self._now_ns - self._told_ns >= SPAN_NS:
            self.skew_s = None
        before, self.level = self.level, level_of(self.skew_s, self.level)
        return self.level is not before

    @property
    def size_bytes(self) -> int:
        """Memory that the signals hold, bytes."""
        return sum(trace.size_bytes for trace in self._traces.values())


def level_of(skew_s: float | None, before: SkewLevel) -> SkewLevel:
    """Return the level of a skew; one that holds already takes a smaller skew to end."""
    if skew_s is None:
        return SkewLevel.UNKNOWN
    for level, (on_s, off_s) in _LIMITS_S.items():
        if abs(skew_s) >= (off_s if before >= level else on_s):
            return level
    return SkewLevel.FINE


_log = structlog.get_logger()


class SkewWatch:
    """Follows the skew of each furnace from the records handed on.

    Parameters
    ----------
    offsets_s
        By how much brightness follows the current, per furnace where it was commissioned.
    """

    def __init__(self, offsets_s: Mapping[str, float]) -> None:
        self._offsets_s = offsets_s
        self._furnaces: dict[str, Synchrony] = {}
        # Which modality spoke first: alone it cannot show the difference of two clocks.
        self._first: dict[str, Modality] = {}

    def take(self, chunk: Chunk, outcome: Outcome, greys_of: GreysOf) -> None:
        """Take a record and its outcome; records of an earlier life are ignored.

        Parameters
        ----------
        chunk
            The record.
        outcome
            What the join said of it.
        greys_of
            The join's own: it has looked at the frames already.
        """
        if not outcome.history and outcome.refusal is None:
            self._note(chunk, greys_of)

    def forget(self, furnace_ids: Iterable[str]) -> None:
        """Forget furnaces that are retired."""
        for furnace_id in furnace_ids:
            self._furnaces.pop(furnace_id, None)
            self._first.pop(furnace_id, None)

    def reasons(self, furnace_id: str) -> tuple[Reason, ...]:
        """Return the reason for a furnace's scores while its clocks disagree too much."""
        furnace = self._furnaces.get(furnace_id)
        disagree = furnace is not None and furnace.level is SkewLevel.ALARM
        return (SYNC_SKEW,) if disagree else ()

    def skews_s(self) -> dict[str, float]:
        """Return video clock minus current clock, seconds, of each furnace where it is known."""
        skews_s = {name: furnace.skew_s for name, furnace in self._furnaces.items()}
        return {name: skew_s for name, skew_s in skews_s.items() if skew_s is not None}

    @property
    def size_bytes(self) -> int:
        """What the signals of all furnaces hold."""
        return sum(furnace.size_bytes for furnace in self._furnaces.values())

    def _note(self, chunk: Chunk, greys_of: GreysOf) -> None:
        modality = chunk.modality
        furnace = self._followed(chunk.identity.furnace_id, modality)
        if furnace is None:
            return
        values = _signal(chunk, greys_of)
        for time_ns, value in zip(chunk.times_ns, values.tolist(), strict=True):
            if not math.isnan(value):  # a sample with a missing phase has no sum
                furnace.note(modality, time_ns, value)
        before = furnace.level
        if furnace.update() and max(before, furnace.level) > SkewLevel.FINE:
            _tell(chunk.identity.furnace_id, furnace)

    def _followed(self, furnace_id: str, modality: Modality) -> Synchrony | None:
        """Return a furnace's clocks once both modalities have sent records."""
        furnace = self._furnaces.get(furnace_id)
        if furnace is None and self._first.setdefault(furnace_id, modality) is not modality:
            offset_s = self._offsets_s.get(furnace_id, 0.0)
            furnace = self._furnaces[furnace_id] = Synchrony(offset_s)
        return furnace


def _signal(chunk: Chunk, greys_of: GreysOf) -> NDArray[np.float64]:
    """Return one value an event: the frame's mean grey, or the sum of the amperes."""
    if isinstance(chunk, EmbeddingChunk):
        greys = greys_of(chunk.data)
        means: NDArray[np.float64] = np.add.reduce(greys, axis=1) / greys.shape[1]
        return means
    amperes: NDArray[np.float64] = np.add.reduce(np.abs(chunk.data), axis=1, dtype=np.float64)
    return amperes


def _tell(furnace_id: str, furnace: Synchrony) -> None:
    """Log that a skew worth a look began, changed its level or ended."""
    tell = _log.warning if furnace.level > SkewLevel.FINE else _log.info
    tell(
        "sync_skew_changed",
        furnace=furnace_id,
        skew_level=furnace.level.name.lower(),
        skew_s=None if furnace.skew_s is None else round(furnace.skew_s, 3),
    )
