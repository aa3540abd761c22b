"""Where an alarm point's threshold comes from: a budget of false alarms on normal operation."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.domain.bootstrap import estimate, resample, unit_sums
from meltwatch_trainer.domain.events import LATE_S
from meltwatch_trainer.domain.extremes import (
    Tail,
    cluster_maxima,
    fit_tail,
    resampled_values,
)
from meltwatch_trainer.domain.held_level import AlarmRule, held_levels
from meltwatch_trainer.domain.scores import Scores
from meltwatch_trainer.errors import ScoresError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

DAY_S: Final = 86_400.0
FEWEST_CLUSTERS: Final = 50


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


@dataclass(frozen=True, slots=True)
class ThresholdBasis:
    """A threshold with everything that it rests on.

    Attributes
    ----------
    logit_on, low, high
        The threshold and its 95 % interval over furnaces.
    budget
        False alarms per furnace-day that it was chosen for.
    furnaces, days
        Furnaces, and furnace-days of normal operation among theirs.
    windows, exceedances, clusters
        Normal windows, those above the tail's level, and occasions that these form.
    above
        Occasions that reach the threshold.
    tail
        The law of the highest held level of an occasion; its rate is per furnace-day.
    highest
        The highest held level of normal operation that was seen.
    margin
        From the threshold to the highest held level of the median fault.
    """

    logit_on: float
    low: float
    high: float
    budget: float
    furnaces: int
    days: float
    windows: int
    exceedances: int
    clusters: int
    above: int
    tail: Tail
    highest: float
    margin: float

    @property
    def extremal_index(self) -> float:
        """One over the mean number of windows of an occasion."""
        return self.clusters / self.exceedances

    @property
    def refusal(self) -> str | None:
        """Why the threshold should not be used, or None."""
        if self.clusters < FEWEST_CLUSTERS:
            return f"expected {FEWEST_CLUSTERS} separate peaks to fit, got {self.clusters}"
        if self.high - self.low > self.margin:
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
            f"{self.furnaces} simulated furnaces{weakness}"
        )


def choose_threshold(
    scores: Scores, logits: FloatArray, rule: AlarmRule, budget: Budget
) -> ThresholdBasis:
    """Choose the threshold that normal operation exceeds as often as the budget allows.

    Parameters
    ----------
    scores
        Furnaces to calibrate on.
    logits
        Shape ``(n,)``: calibrated log-odds of their windows.

    Raises
    ------
    ScoresError
        If normal windows are all alike, so that there is no tail.
    """
    held = held_by_run(scores, logits, rule)
    raised_s = scores.end_s + rule.windows_held(scores.hop_s) * scores.hop_s
    normal = _normal(scores, raised_s, budget.settle_s) & np.isfinite(held)
    level = float(np.quantile(held[normal], budget.quantile))
    peaks = _peaks(scores, np.where(normal, held, -np.inf), level, budget.apart_s)
    if peaks.size == 0:
        raise ScoresError(f"expected normal windows that differ, got {level:g} as their highest")
    units = len(scores.furnaces)
    days = unit_sums(normal, scores.run, units) * scores.hop_s / DAY_S
    excesses = held[peaks] - level
    tail = fit_tail(excesses, level, float(days.sum()))
    weights = resample(units)
    values = resampled_values(
        tail, excesses, weights[:, scores.run[peaks]], weights @ days, budget.false_alarms
    )
    chosen = estimate(values)
    return ThresholdBasis(
        logit_on=chosen.value,
        low=chosen.low,
        high=chosen.high,
        budget=budget.false_alarms,
        furnaces=units,
        days=float(days.sum()),
        windows=int(normal.sum()),
        exceedances=int((held[normal] > level).sum()),
        clusters=len(peaks),
        above=int((held[peaks] >= chosen.value).sum()),
        tail=tail,
        highest=float(held[peaks].max()),
        margin=float(np.median(_highest_in_faults(scores, held, raised_s))) - chosen.value,
    )


def held_by_run(scores: Scores, logits: FloatArray, rule: AlarmRule) -> FloatArray:
    """Return the held level of every window, shape ``(n,)``; no window looks past its run."""
    held = np.empty(len(logits))
    for part in scores.runs():
        held[part] = held_levels(logits[part], scores.hop_s, rule)
    return held


def _normal(scores: Scores, raised_s: FloatArray, settle_s: float) -> BoolArray:
    """Return which windows would raise a false alarm, if any."""
    normal: BoolArray = raised_s > 0
    for run, start_s, end_s in scores.faults():
        of_fault = (raised_s >= start_s) & (raised_s <= end_s + settle_s)
        normal &= ~((scores.run == run) & of_fault)
    return normal


def _peaks(scores: Scores, held: FloatArray, level: float, apart_s: float) -> NDArray[np.intp]:
    # Runs follow one another on one time axis, too far apart to share a cluster.
    times_s = scores.end_s + scores.run * (scores.duration_s + 1e6)
    return cluster_maxima(times_s, held, level, apart_s)


def _highest_in_faults(scores: Scores, held: FloatArray, raised_s: FloatArray) -> FloatArray:
    """Return the highest threshold at which each fault would still be shown, ``(f,)``."""
    highest = []
    for run, start_s, end_s in scores.faults():
        shows = (scores.run == run) & (raised_s >= start_s) & (raised_s <= end_s + LATE_S)
        highest.append(held[shows].max(initial=-np.inf))
    return np.array(highest)
