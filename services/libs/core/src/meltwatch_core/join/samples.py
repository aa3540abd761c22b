"""Current samples of one furnace, and sample-and-hold of them on a window's grid."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from meltwatch_schemas.current import PHASES
from numpy.typing import NDArray

from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.timeline import SAMPLE, Timeline

_MAX_EVENTS: Final = 65_536
"""Samples held before they are thinned: about 520 a second for the published spec."""


@dataclass(frozen=True, slots=True, eq=False)
class CurrentGrid:
    """What a window sees of the currents.

    Attributes
    ----------
    values_a
        Shape ``(lookback_samples, 3)``, float32, amperes, index 0 the oldest grid point; None
        if unavailable.
    coverage
        Share of the grid values (points x phases) that a sample stood for, 0..1.
    own_a
        The same before missing values were repeated: NaN where no sample stood; None without any.
    """

    values_a: NDArray[np.float32] | None
    coverage: float
    own_a: NDArray[np.float32] | None


class SampleBuffer:
    """Samples within the reach of the windows to come.

    Parameters
    ----------
    rules
        Window geometry and availability.
    phase_ns
        The furnace's offset of window ends.
    """

    def __init__(self, rules: JoinRules, phase_ns: int) -> None:
        spec = rules.spec
        self._rules = rules
        self._phase_ns = phase_ns
        # Every grid interval of every window is a whole number of these cells.
        self._cell_ns = math.gcd(spec.hop_ns, spec.sample_period_ns, rules.sample_reach_ns)
        self._ages_ns = np.arange(spec.lookback_samples - 1, -1, -1) * spec.sample_period_ns
        self.timeline = Timeline(SAMPLE)

    def add_samples(self, events: NDArray[Any]) -> int:
        """Take the samples of one record and return the number of duplicates.

        Parameters
        ----------
        events
            Shape ``(m,)``, ``timeline.SAMPLE``.
        """
        _, duplicates = self.timeline.add_events(events)
        if self.timeline.events.size > _MAX_EVENTS:
            self._thin()
        return duplicates

    def _thin(self) -> None:
        """Forget superseded samples: of each cell its newest and each phase's last value stay.

        Windows stay exact; a repetition of a forgotten sample is no longer counted as duplicate.
        """
        cells = -((self._phase_ns - self.timeline.times_ns) // self._cell_ns)
        present = ~np.isnan(self.timeline.events["value_a"])
        chosen = _last_of_each(cells)
        for phase in range(PHASES):
            rows = np.flatnonzero(present[:, phase])
            chosen[rows[_last_of_each(cells[rows])]] = True
        self.timeline.keep(chosen)

    def forget_until(self, time_ns: int) -> None:
        """Drop the samples at or before an instant."""
        self.timeline.forget_until(time_ns)

    def grid(self, window_end_ns: int) -> CurrentGrid:
        """Return the grid of a window: per point and phase the latest value not older than reach.

        A missing value repeats the nearest older present one of its phase in the grid, or the
        nearest newer one if there is none.
        """
        points_ns = window_end_ns - self._ages_ns
        times_ns, values_a = self.timeline.times_ns, self.timeline.events["value_a"]
        total = points_ns.size * PHASES
        if not times_ns.size:
            return CurrentGrid(None, 0.0, None)
        rows = np.searchsorted(times_ns, points_ns, side="right") - 1
        oldest_ns = points_ns - self._rules.sample_reach_ns
        held_a = values_a[rows]
        if rows[0] >= 0 and (times_ns[rows] > oldest_ns).all() and not np.isnan(held_a).any():
            return CurrentGrid(held_a, 1.0, held_a)
        latest = _last_present(~np.isnan(values_a))
        chosen = np.where(rows[:, None] >= 0, latest[rows], -1)
        present = (chosen >= 0) & (times_ns[chosen] > oldest_ns[:, None])
        count = int(np.count_nonzero(present))
        own_a = np.take_along_axis(values_a, chosen, axis=0)
        if count == total:
            return CurrentGrid(own_a, 1.0, own_a)
        own_a[~present] = np.nan
        if count < self._rules.min_values:
            return CurrentGrid(None, count / total, own_a if count else None)
        held = _last_present(present)
        filled = np.where(held >= 0, held, np.argmax(present, axis=0))
        return CurrentGrid(np.take_along_axis(own_a, filled, axis=0), count / total, own_a)

    @property
    def size_bytes(self) -> int:
        """What the buffer holds."""
        return self.timeline.events.nbytes

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what is held of the samples after an instant."""
        return self.timeline.size_bytes_after(time_ns)


def _last_present(present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return, per row and column, the last row up to it that is present; -1 if there is none."""
    rows = np.arange(present.shape[0])[:, None]
    if present.all():
        return np.broadcast_to(rows, present.shape)
    last: NDArray[np.intp] = np.maximum.accumulate(np.where(present, rows, -1), axis=0)
    return last


def _last_of_each(cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each of the sorted cell numbers whether it is the last of its kind."""
    last: NDArray[np.bool_] = np.diff(cells, append=np.iinfo(np.int64).max) != 0
    return last
