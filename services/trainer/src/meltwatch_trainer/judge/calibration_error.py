"""Whether log-odds are true to their numbers, and whether disagreement shows wrong decisions.

Calibrated log-odds claim a chance at equal shares of normal and anomalous windows; both classes
are therefore weighed alike, whatever their share.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import FloatArray, ratio, unit_sums
from numpy.typing import NDArray
from scipy.special import expit

from meltwatch_trainer.judge.statistics import auroc

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer]

BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Reliability:
    """Claimed against found chances in bins of equal mass.

    Attributes
    ----------
    claimed, found, mass
        Shape ``(sets, bins)``: mean probability claimed, share that was anomalous, weight.
    """

    claimed: FloatArray
    found: FloatArray
    mass: FloatArray

    @property
    def error(self) -> FloatArray:
        """Expected calibration error per set of weights, shape ``(sets,)``, 0..1."""
        return np.nansum(self.mass * np.abs(self.claimed - self.found), axis=1)


def reliability(
    logits: FloatArray, anomalous: BoolArray, unit: IntArray, weights: FloatArray
) -> Reliability:
    """Compare claims with what was true, for each set of weights of the units.

    Parameters
    ----------
    logits, anomalous, unit
        Shape ``(n,)``: calibrated log-odds, truth, and the unit (furnace) of each window.
    weights
        Shape ``(sets, units)``. Bins are the same for all sets.
    """
    units = weights.shape[1]
    claims: FloatArray = expit(logits)
    place = _equal_mass_bins(logits, anomalous)

    def per_bin(values: NDArray[np.generic]) -> FloatArray:
        cells = unit_sums(values, unit * BINS + place, units * BINS)
        return weights @ cells.reshape(units, BINS)

    hot, cold = per_bin(anomalous), per_bin(~anomalous)
    hot_share, cold_share = (0.5 / n.sum(axis=1, keepdims=True) for n in (hot, cold))
    mass = hot * hot_share + cold * cold_share
    claimed = per_bin(claims * anomalous) * hot_share + per_bin(claims * ~anomalous) * cold_share
    return Reliability(ratio(claimed, mass), ratio(hot * hot_share, mass), mass)


def _equal_mass_bins(logits: FloatArray, anomalous: BoolArray) -> NDArray[np.int64]:
    """Return the bin of each window; equal log-odds share a bin."""
    mass = np.where(anomalous, 0.5 / anomalous.sum(), 0.5 / (~anomalous).sum())
    order = np.argsort(logits)
    below = np.cumsum(mass[order])
    edges = logits[order][np.searchsorted(below, np.arange(1, BINS) / BINS)]
    return np.searchsorted(edges, logits, side="left")


@dataclass(frozen=True, slots=True)
class Doubt:
    """How a measure of doubt separates wrong from right decisions.

    Attributes
    ----------
    separation
        Chance that a wrong decision has more of it than a right one; 0.5 tells nothing.
    error_by_quartile
        Share of wrong decisions, from the quarter with the least doubt to that with the most.
    """

    separation: float
    error_by_quartile: tuple[float, ...]


def judge_doubt(doubt: FloatArray, wrong: BoolArray) -> Doubt:
    """Set doubt against errors, both of shape ``(n,)``; NaN if all are right or all wrong."""
    quarters = np.array_split(np.argsort(doubt, kind="stable"), 4)
    mixed = wrong.any() and not wrong.all()
    return Doubt(
        auroc(doubt, wrong) if mixed else float("nan"),
        tuple(float(wrong[quarter].mean()) for quarter in quarters),
    )
