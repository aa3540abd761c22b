"""The alarm rule again over scores that were stored, for one set-point after another.

The decisions are those of ``condition``, sample by sample. Most samples change nothing: over those
it jumps, so that a hundred set-points over a furnace-day take seconds.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from meltwatch_schemas.alarm_point import Setpoint
from numpy.typing import ArrayLike, NDArray

from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe


@dataclass(frozen=True, slots=True)
class LevelSeries:
    """What one furnace was judged by, window after window.

    Attributes
    ----------
    ends_ns
        Shape ``(n,)``, int64: window ends, ns UTC, ascending, each once.
    levels
        Shape ``(n,)``, float64: calibrated logits, imbalances, or surprises.
    positions
        Shape ``(n,)``, int64: places among the scores of the partition. A delay is given up over
        too many records of others.
    portraits
        Shape ``(n,)``, text: from which portrait each surprise comes; None for other levels. A
        delay does not run on from one portrait to another.
    """

    ends_ns: NDArray[np.int64]
    levels: NDArray[np.float64]
    positions: NDArray[np.int64]
    portraits: NDArray[np.str_] | None = None

    @classmethod
    def of(
        cls,
        ends_ns: ArrayLike,
        levels: ArrayLike,
        positions: ArrayLike | None = None,
        portraits: ArrayLike | None = None,
    ) -> Self:
        """Return a series as the rule takes it.

        What has no level (NaN) falls out. So does what is not newer than all before it, as live
        passes it over.

        Parameters
        ----------
        positions
            None counts the windows.
        portraits
            Where levels are surprises, the id of the portrait of each; any text where there is no
            level.
        """
        ends, heights = np.asarray(ends_ns, np.int64), np.asarray(levels, np.float64)
        places = np.arange(ends.size) if positions is None else np.asarray(positions, np.int64)
        is_newer = np.ones(ends.size, bool)
        is_newer[1:] = ends[1:] > np.maximum.accumulate(ends)[:-1]
        counts = is_newer & ~np.isnan(heights)
        names = None if portraits is None else np.asarray(portraits, np.str_)[counts]
        return cls(ends[counts], heights[counts], places[counts], names)

    def after_ns(self, end_ns: int | None) -> Self:
        """Return the windows that end after an instant; None gives all."""
        if end_ns is None:
            return self
        later = self.ends_ns > end_ns
        names = None if self.portraits is None else self.portraits[later]
        return type(self)(self.ends_ns[later], self.levels[later], self.positions[later], names)

    def sample(self, index: int) -> Sample:
        """Return one window as the rule takes it."""
        end_ns, position = int(self.ends_ns[index]), int(self.positions[index])
        portrait = None if self.portraits is None else str(self.portraits[index])
        return Sample(end_ns, float(self.levels[index]), position, portrait)


@dataclass(frozen=True, slots=True)
class Activation:
    """One time that the condition held, event time in ns UTC.

    Attributes
    ----------
    first_ns
        Window end of the first sample that spoke for it; None where it held from the beginning.
    raised_ns
        When its delay had passed: the alarm record's raise time; None as above.
    window_end_ns
        Of the window that raised it; None as above.
    cleared_ns
        When the delay of clearing had passed; None where it holds at the end.
    """

    first_ns: int | None
    raised_ns: int | None
    window_end_ns: int | None
    cleared_ns: int | None = None


def recalled(series: LevelSeries, setpoint: Setpoint, begins: Condition | None = None) -> Condition:
    """Return what is known after windows that were judged before: delays run, nothing is decided.

    Parameters
    ----------
    begins
        The decision in force; None for a calm alarm that is not active.
    """
    condition, stirring = begins or Condition(), _Stirring.of(series, setpoint)
    index = stirring.after(condition, 0)
    while index < series.ends_ns.size:
        condition = observe(condition, series.sample(index), setpoint)
        index = stirring.after(condition, index + 1)
    return condition


def activations(
    series: LevelSeries, setpoint: Setpoint, begins: Condition | None = None
) -> list[Activation]:
    """Return when an alarm of this set-point would have been raised and cleared, in order.

    Parameters
    ----------
    begins
        What was known before the first window; None for a calm alarm that is not active.
    """
    condition, stirring = begins or Condition(), _Stirring.of(series, setpoint)
    found = [Activation(None, None, None)] if condition.active else []
    index = stirring.after(condition, 0)
    while index < series.ends_ns.size:
        sample = series.sample(index)
        condition = observe(condition, sample, setpoint)
        change = due(condition, setpoint)
        if change is not None:
            if condition.active:
                found[-1] = replace(found[-1], cleared_ns=change.at_ns)
            else:
                found.append(Activation(change.first_ns, change.at_ns, sample.end_ns))
            condition = decided(condition)
        index = stirring.after(condition, index + 1)
    return found


class _Stirring(NamedTuple):
    """Which windows may change more than the newest sample of a calm alarm."""

    raising: NDArray[np.intp]
    clearing: NDArray[np.intp]
    size: int

    @classmethod
    def of(cls, series: LevelSeries, setpoint: Setpoint) -> Self:
        raising = np.flatnonzero(series.levels >= setpoint.on)
        return cls(raising, np.flatnonzero(series.levels < setpoint.off), series.ends_ns.size)

    def after(self, condition: Condition, index: int) -> int:
        """Return the window from ``index`` on that is to be judged next; the end if none is."""
        if condition.since is not None or condition.votes:
            return index
        waited = self.clearing if condition.active else self.raising
        place = int(np.searchsorted(waited, index))
        return int(waited[place]) if place < waited.size else self.size
