"""Samples of one furnace, and a window's grid of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.current import PHASES
from numpy.typing import NDArray

from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.timeline import Timeline

_MAX_SAMPLES: Final = 65_536
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
        self._turn_ns = min(spec.sample_period_ns, rules.sample_reach_ns)
        self.timeline = Timeline(PHASES)

    def add_samples(
        self, times_ns: Sequence[int], offset: int, values_a: NDArray[np.float32]
    ) -> int:
        """Take the samples of one record and return the number of duplicates.

        Parameters
        ----------
        times_ns
            Event times, strictly increasing.
        offset
            Of the record.
        values_a
            Shape ``(m, 3)``, amperes.
        """
        new = self.timeline.add_events(times_ns, offset, values_a)
        if len(self.timeline) > _MAX_SAMPLES:
            self._thin()
        return 0 if new is None else new.size - int(np.count_nonzero(new))

    def _thin(self) -> None:
        """Forget superseded samples: of each cell its newest and each phase's last value stay.

        Windows stay exact; a repetition of a forgotten sample is no longer counted as duplicate.
        """
        cells = -((self._phase_ns - self.timeline.times_ns) // self._cell_ns)
        present = ~np.isnan(self.timeline.values)
        chosen = _last_of_each(cells)
        for phase in range(PHASES):
            rows = np.flatnonzero(present[:, phase])
            chosen[rows[_last_of_each(cells[rows])]] = True
        self.timeline.keep(chosen)

    def forget_until(self, time_ns: int) -> int | None:
        """Drop the samples at or before an instant; return the time of the newest, ns."""
        return self.timeline.forget_until(time_ns)

    def grid(self, window_end_ns: int) -> CurrentGrid:
        """Return the grid of a window: per point and phase the latest value not older than reach.

        A missing value repeats the nearest older present one of its phase in the grid, or the
        nearest newer one if there is none.
        """
        count = self._ages_ns.size
        times_ns, values_a = self.timeline.newest(count, window_end_ns)
        if times_ns.size and self._are_in_turn(times_ns, values_a, window_end_ns):
            return self._filled_up(values_a)
        return self._looked_up(window_end_ns - self._ages_ns)

    def _are_in_turn(
        self, times_ns: NDArray[np.int64], values_a: NDArray[np.float32], window_end_ns: int
    ) -> bool:
        """Tell whether each of the newest samples stands for one point, and is whole.

        So it is with a meter that lost nothing: then no sample need be looked up.
        """
        # Read without a sign, what is before zero is beyond all.
        waited_ns = (window_end_ns - (times_ns + self._ages_ns[-times_ns.size :])).view(np.uint64)
        are_in_turn: bool = waited_ns.item(waited_ns.argmax()) < self._turn_ns
        return are_in_turn and not np.count_nonzero(np.isnan(values_a))

    def _filled_up(self, values_a: NDArray[np.float32]) -> CurrentGrid:
        """Return the grid of samples in turn; points before the first of them have none."""
        missing = self._ages_ns.size - len(values_a)
        if not missing:
            return CurrentGrid(values_a, 1.0, values_a)
        own_a = np.concatenate([np.full((missing, PHASES), np.nan, np.float32), values_a])
        coverage = values_a.size / own_a.size
        if values_a.size < self._rules.min_values:
            return CurrentGrid(None, coverage, own_a)
        filled_a = own_a.copy()
        filled_a[:missing] = values_a[0]
        return CurrentGrid(filled_a, coverage, own_a)

    def _looked_up(self, points_ns: NDArray[np.int64]) -> CurrentGrid:
        times_ns, values_a = self.timeline.times_ns, self.timeline.values
        if not times_ns.size:
            return CurrentGrid(None, 0.0, None)
        rows = times_ns.searchsorted(points_ns, "right") - 1
        oldest_ns = points_ns - self._rules.sample_reach_ns
        if rows[0] >= 0:
            held_a = values_a.take(rows, axis=0)
            is_present = times_ns.take(rows) > oldest_ns
            absent = is_present.size - np.count_nonzero(is_present)
            if not absent and not np.count_nonzero(np.isnan(held_a)):
                return CurrentGrid(held_a, 1.0, held_a)
        total = points_ns.size * PHASES
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
        return self.timeline.size_bytes

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
