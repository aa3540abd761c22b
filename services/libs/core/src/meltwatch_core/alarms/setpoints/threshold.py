"""The threshold that normal operation exceeds as often as a budget of false alarms allows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_core.alarms.setpoints.bootstrap import estimate, resample, unit_sums
from meltwatch_core.alarms.setpoints.extremes import (
    Tail,
    cluster_maxima,
    fit_tail,
    resampled_values,
)

FloatArray = NDArray[np.float64]

DAY_S: Final = 86_400.0
FEWEST_CLUSTERS: Final = 50


class NoTailError(ValueError):
    """Normal operation holds nothing that a tail could be fitted to."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is wanted of a threshold, and how normal operation is read for it.

    Attributes
    ----------
    false_alarms
        Per furnace-day: below the one that is wanted at most, since the count of any few days
        scatters around it.
    quantile
        Share of normal windows below the level whose peaks are fitted.
    apart_s
        Exceedances further apart are separate occasions: a confounder lasts up to a minute.
    settle_s
        After a fault a window counts as normal again this long after its end: until then the
        fault's own alarm may stand, and no other can be raised.
    """

    false_alarms: float = 0.75
    quantile: float = 0.995
    apart_s: float = 60.0
    settle_s: float = 30.0


@dataclass(frozen=True)
class NormalOperation:
    """Windows from which any alarm would be a false one.

    Attributes
    ----------
    held
        Shape ``(n,)``: highest threshold at which each would raise; finite.
    times_s
        Shape ``(n,)``, in order, on one axis where furnaces follow one another, too far apart to
        share an occasion.
    unit
        Shape ``(n,)``: what each belongs to of that which is drawn again for intervals; 0 to
        ``units``.
    units
        Number of these.
    hop_s
        From one window of a furnace to the next.
    furnaces
        How many were watched.
    kind
        What they are called.
    """

    held: FloatArray
    times_s: FloatArray
    unit: NDArray[np.integer]
    units: int
    hop_s: float
    furnaces: int
    kind: str = "furnaces"

    @cached_property
    def days(self) -> FloatArray:
        """Furnace-days of each unit, shape ``(units,)``."""
        return unit_sums(np.ones(len(self.held)), self.unit, self.units) * self.hop_s / DAY_S

    def occasions(self, level: float, apart_s: float) -> NDArray[np.intp]:
        """Return the highest window of each occasion that exceeds a level."""
        return cluster_maxima(self.times_s, self.held, level, apart_s)


@dataclass(frozen=True, slots=True)
class ThresholdBasis:
    """A threshold with everything that it rests on.

    Attributes
    ----------
    logit_on, low, high
        The threshold and its 95 % interval over the units.
    budget
        False alarms per furnace-day that it was chosen for.
    furnaces, kind, days
        Furnaces, what they are called, and furnace-days of normal operation among theirs.
    windows, exceedances, clusters
        Normal windows, those above the tail's level, and occasions that these form.
    above
        Occasions that reach the threshold.
    tail
        The law of the highest held level of an occasion; its rate is per furnace-day.
    highest
        The highest held level of normal operation that was seen.
    margin
        From the threshold to the highest held level of the median fault; None without faults.
    """

    logit_on: float
    low: float
    high: float
    budget: float
    furnaces: int
    kind: str
    days: float
    windows: int
    exceedances: int
    clusters: int
    above: int
    tail: Tail
    highest: float
    margin: float | None = None

    @property
    def extremal_index(self) -> float:
        """One over the mean number of windows of an occasion."""
        return self.clusters / self.exceedances

    @property
    def refusal(self) -> str | None:
        """Why the threshold should not be used, or None."""
        if self.clusters < FEWEST_CLUSTERS:
            return f"expected {FEWEST_CLUSTERS} separate peaks to fit, got {self.clusters}"
        if self.margin is not None and self.high - self.low > self.margin:
            return (
                f"expected an interval narrower than the margin to faults, {self.margin:.2f}, "
                f"got {self.low:.2f} to {self.high:.2f}"
            )
        return None

    def text(self) -> str:
        """Return the basis as one line for an alarm point."""
        weakness = f"; not sound yet: {self.refusal}" if self.refusal else ""
        return (
            f"peaks over threshold, false alarms per furnace-day budgeted at {self.budget:g}: "
            f"{self.logit_on:.2f} (95 % {self.low:.2f} to {self.high:.2f}), generalised Pareto "
            f"shape {self.tail.shape:.2f}, scale {self.tail.scale:.2f} above "
            f"{self.tail.level:.2f}, {self.clusters} clusters of {self.windows} normal windows, "
            f"extremal index {self.extremal_index:.2f}, {self.days:.1f} furnace-days of "
            f"{self.furnaces} {self.kind}{weakness}"
        )


def find_threshold(normal: NormalOperation, budget: Budget) -> ThresholdBasis:
    """Find the threshold that normal operation exceeds as often as a budget allows.

    Raises
    ------
    NoTailError
        If windows are all alike, or there are none.
    """
    level = _level(normal.held, budget.quantile)
    peaks = normal.occasions(level, budget.apart_s)
    days = float(normal.days.sum())
    excesses = normal.held[peaks] - level
    tail = fit_tail(excesses, level, days)
    weights = resample(normal.units)
    values = resampled_values(
        tail, excesses, weights[:, normal.unit[peaks]], weights @ normal.days, budget.false_alarms
    )
    chosen = estimate(values)
    return ThresholdBasis(
        logit_on=chosen.value,
        low=chosen.low,
        high=chosen.high,
        budget=budget.false_alarms,
        furnaces=normal.furnaces,
        kind=normal.kind,
        days=days,
        windows=normal.held.size,
        exceedances=int((normal.held > level).sum()),
        clusters=len(peaks),
        above=int((normal.held[peaks] >= chosen.value).sum()),
        tail=tail,
        highest=float(normal.held[peaks].max()),
    )


def _level(held: FloatArray, quantile: float) -> float:
    """Return a quantile, or the highest value below the maximum: held levels tie at the top."""
    if not held.size:
        raise NoTailError("expected normal windows, got none")
    highest = held.max()
    below = held[held < highest]
    if not below.size:
        raise NoTailError(f"expected normal windows that differ, got {highest:g} for all")
    return float(min(np.quantile(held, quantile), below.max()))
