"""How well scores rank anomalous windows above normal ones, for many sets of furnaces at once."""

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import FloatArray, ratio, unit_sums
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer]


def aurocs(
    scores: FloatArray, anomalous: BoolArray, unit: IntArray, weights: FloatArray
) -> FloatArray:
    """Return the area under the ROC curve per set of weights, shape ``(sets,)``.

    Exact: the area counts ordered pairs, and the pairs of two units are counted once.

    Parameters
    ----------
    scores, anomalous, unit
        Shape ``(n,)``.
    weights
        Shape ``(sets, units)``: how often each unit is drawn.
    """
    units = weights.shape[1]
    order = np.argsort(scores[anomalous])
    hot, hot_unit = scores[anomalous][order], unit[anomalous][order]
    ordered = np.empty((units, units))
    for number in range(units):
        cold = np.sort(scores[~anomalous & (unit == number)])
        wins = np.searchsorted(cold, hot, "left") + np.searchsorted(cold, hot, "right")
        ordered[:, number] = unit_sums(wins / 2, hot_unit, units)
    pairs = (weights @ unit_sums(anomalous, unit, units)) * (
        weights @ unit_sums(~anomalous, unit, units)
    )
    return ratio(np.einsum("bi,bi->b", weights @ ordered, weights), pairs)


def average_precision(scores: FloatArray, anomalous: BoolArray) -> float:
    """Return the mean precision over the recalls that thresholds reach (ties fall together)."""
    order = np.argsort(-scores)
    hits = np.cumsum(anomalous[order])
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / anomalous.sum())


def recall_at(scores: FloatArray, anomalous: BoolArray, false_shares: FloatArray) -> FloatArray:
    """Return the ROC curve: recall of windows at shares of false positives, same shape."""
    cold = np.sort(scores[~anomalous])
    allowed = np.floor(false_shares * len(cold)).astype(int)
    # With `allowed` false positives the threshold lies just above the next normal score.
    limits = np.where(allowed >= len(cold), -np.inf, cold[np.maximum(len(cold) - allowed - 1, 0)])
    hot = np.sort(scores[anomalous])
    return 1 - np.searchsorted(hot, limits, "right") / len(hot)
