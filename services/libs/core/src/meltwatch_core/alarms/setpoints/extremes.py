"""How high normal operation reaches: peaks over a threshold and their generalised Pareto tail.

Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, chapters 4 and 5: runs
declustering, then the excesses of cluster maxima, ``P(excess > y) = (1 + shape y / scale)^(-1 /
shape)``. The fit is maximum likelihood in one variable (Grimshaw, Technometrics 35(2), 1993):
for given ``shape / scale`` the best shape is a mean.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LOWEST_SHAPE: Final = -0.5
"""Below it maximum likelihood is not regular, below -1 it has no maximum. The tail is then taken
as heavier than it is, so that a threshold errs to the side of fewer false alarms."""

_GRID: Final = np.linspace(-8.0, 8.0, 401)
"""``log(1 + shape / scale * largest excess)``: all tails that the largest excess lies within."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Cluster maxima above a level, and how they thin out.

    Attributes
    ----------
    level
        Peaks above it were fitted.
    shape, scale
        Of the generalised Pareto law of the excesses.
    rate
        Clusters per unit of exposure that exceed ``level``.
    """

    level: float
    shape: float
    scale: float
    rate: float

    def rate_above(self, value: float) -> float:
        """Return clusters per unit of exposure that exceed ``value``, at least ``level``."""
        reach = max(0.0, 1 + self.shape * (value - self.level) / self.scale)
        if abs(self.shape) < 1e-9:
            return self.rate * float(np.exp(-(value - self.level) / self.scale))
        return self.rate * float(reach ** (-1 / self.shape)) if reach else 0.0

    def value_of(self, rate: float) -> float:
        """Return the value that is exceeded ``rate`` times per unit of exposure.

        Never below ``level``: of what is beneath it the tail knows nothing.
        """
        return float(
            _value_of(self.level, np.array(self.shape), np.array(self.scale), self.rate / rate)
        )


def cluster_maxima(
    times_s: FloatArray, values: FloatArray, level: float, apart_s: float
) -> NDArray[np.intp]:
    """Return the index of the highest value of each cluster of exceedances.

    Parameters
    ----------
    times_s, values
        Shape ``(n,)``, in order of time.
    level
        Values above it exceed.
    apart_s
        Exceedances further apart belong to different clusters.
    """
    above = np.flatnonzero(values > level)
    if above.size == 0:
        return above
    starts = np.flatnonzero(np.diff(times_s[above], prepend=-np.inf) > apart_s)
    return np.array([part[np.argmax(values[part])] for part in np.split(above, starts[1:])])


def fit_tail(excesses: FloatArray, level: float, exposure: float) -> Tail:
    """Fit excesses over ``level``, shape ``(n,)``, positive, by maximum likelihood."""
    weights = np.ones((1, len(excesses)))
    shape, scale = _fit(excesses, weights)
    return Tail(level, float(shape[0]), float(scale[0]), len(excesses) / exposure)


def resampled_values(
    tail: Tail, excesses: FloatArray, weights: FloatArray, exposures: FloatArray, rate: float
) -> FloatArray:
    """Return :meth:`Tail.value_of` of every resample of the clusters, shape ``(sets,)``.

    Parameters
    ----------
    weights
        Shape ``(sets, n)``: how often each excess is drawn.
    exposures
        Shape ``(sets,)``.
    rate
        Per unit of exposure.
    """
    shape, scale = _fit(excesses, weights)
    return _value_of(tail.level, shape, scale, weights.sum(axis=1) / exposures / rate)


def _fit(excesses: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return shape and scale of the likeliest law per set of weights, each ``(sets,)``."""
    theta = np.expm1(_GRID) / excesses.max()
    theta = theta[theta != 0]
    logs = np.log1p(np.outer(excesses, theta))
    # A resample without any cluster has no law: NaN.
    with np.errstate(invalid="ignore"):
        shape = weights @ logs / weights.sum(axis=1, keepdims=True)
    scale = shape / theta
    likelihood = np.where(shape < LOWEST_SHAPE, -np.inf, -np.log(scale) - shape)
    rows, best = np.arange(len(weights)), np.argmax(likelihood, axis=1)
    return shape[rows, best], scale[rows, best]


def _value_of(
    level: float, shape: FloatArray, scale: FloatArray, thinning: FloatArray | float
) -> FloatArray:
    """Return ``level`` plus the excess that one cluster in ``thinning`` reaches, at least 0."""
    logs = np.log(np.maximum(thinning, 1.0))
    steep = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    values: FloatArray = level + scale * np.expm1(steep * logs) / steep
    return values
