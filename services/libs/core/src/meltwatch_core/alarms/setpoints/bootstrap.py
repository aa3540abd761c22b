"""Intervals by drawing whole furnaces again: windows of one furnace are not independent.

A figure is computed for many sets of weights at once, one weight per furnace. The first set is the
sample itself, so that a figure and its interval come out of one expression, and differences of
two figures over the same weights are paired.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.integer]

RESAMPLES: Final = 2000
LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the bounds of its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def resample(units: int, count: int = RESAMPLES, seed: int = 1) -> FloatArray:
    """Return weights ``(count + 1, units)``: how often each unit is drawn; first each once."""
    drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=count)
    return np.vstack([np.ones(units), drawn])


def estimate(figures: FloatArray, level: float = LEVEL) -> Estimate:
    """Return the first figure with the percentile interval of the others, itself included.

    Resampling adds noise, which some figures (calibration error) only grow by.

    Parameters
    ----------
    figures
        Shape ``(count + 1,)``. A figure that some resample does not have is NaN there; infinity
        is a value, which is why bounds are order statistics, not interpolated.
    """
    known = figures[1:][~np.isnan(figures[1:])]
    if np.isnan(figures[0]) or known.size == 0:
        return Estimate(float(figures[0]), np.nan, np.nan)
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(known, tails, method="inverted_cdf")
    value = float(figures[0])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def unit_sums(values: NDArray[np.generic], unit: IntArray, units: int) -> FloatArray:
    """Return the sum of ``values (n,)`` per unit ``(units,)``."""
    return np.bincount(unit, values, minlength=units).astype(np.float64)


def ratio(over: FloatArray, under: FloatArray) -> FloatArray:
    """Return the quotient, NaN where it is of nothing."""
    shares: FloatArray = np.divide(over, under, out=np.full(over.shape, np.nan), where=under != 0)
    return shares


def weighted_quantiles(values: FloatArray, weights: FloatArray, share: float) -> FloatArray:
    """Return, per set of weights, the smallest value that ``share`` of the weight is within.

    Parameters
    ----------
    values
        Shape ``(n,)``; infinity is a value.
    weights
        Shape ``(sets, n)``.
    """
    order = np.argsort(values)
    cumulated = np.cumsum(weights[:, order], axis=1)
    total = cumulated[:, -1:]
    # A hair less: a sum of whole weights must not miss its own share by rounding.
    first = np.argmax(cumulated >= share * total - 1e-9, axis=1)
    return np.where(total[:, 0] > 0, values[order][first], np.nan)
