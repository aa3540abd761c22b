"""Figures that judge scores, and the calibration that puts them on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

NEWTON_STEPS: Final = 50
TOLERANCE: Final = 1e-10
PRIOR_STRENGTH: Final = 1e-3
"""Weak pull of the calibration towards the identity: keeps separable scores finite."""


def auroc(scores: FloatArray, anomalous: BoolArray) -> float:
    """Return the chance that an anomalous window scores above a normal one (ties count half)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = int(anomalous.sum()), int((~anomalous).sum())
    above = ranks[anomalous].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


@dataclass(frozen=True, slots=True)
class Platt:
    """A straight line from a score to calibrated log-odds: ``scale * score + shift``."""

    scale: float
    shift: float

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return calibrated log-odds."""
        return self.scale * scores + self.shift


def fit_platt(scores: FloatArray, anomalous: BoolArray) -> Platt:
    """Fit log-odds to labels by penalised maximum likelihood (Platt 1999; Lin et al. 2007).

    Parameters
    ----------
    scores
        Shape ``(n,)``.
    anomalous
        Shape ``(n,)``. Both classes count alike, whatever their share.
    """
    scale, shift = fit_log_odds([scores], anomalous)
    return Platt(scale, shift)


def fit_log_odds(columns: Sequence[FloatArray], anomalous: BoolArray) -> tuple[float, ...]:
    """Fit one weight for each column and a shift, as ``fit_platt`` does for one column.

    Without evidence the first column stands as it is, and the others for nothing.
    """
    target = _smoothed_targets(anomalous)
    weight = np.where(anomalous, 0.5 / anomalous.sum(), 0.5 / (~anomalous).sum())
    design = np.stack([*columns, np.ones(len(anomalous))], axis=1)
    prior = np.zeros(design.shape[1])
    prior[0] = 1.0

    def loss(beta: FloatArray) -> float:
        logits = design @ beta
        likelihood = weight @ (np.logaddexp(0, logits) - target * logits)
        return float(likelihood + 0.5 * PRIOR_STRENGTH * np.sum((beta - prior) ** 2))

    beta = prior
    for _ in range(NEWTON_STEPS):
        probability = expit(design @ beta)
        gradient = design.T @ (weight * (probability - target)) + PRIOR_STRENGTH * (beta - prior)
        curvature = (design.T * (weight * probability * (1 - probability))) @ design
        step = np.linalg.solve(curvature + PRIOR_STRENGTH * np.eye(len(beta)), gradient)
        # Where scores are nearly sure, the curvature is nearly none and a full step overshoots.
        while loss(beta - step) > loss(beta) and np.abs(step).max() > TOLERANCE:
            step = step / 2
        beta = beta - step
        if np.abs(step).max() < TOLERANCE:
            break
    return tuple(beta.tolist())


def _smoothed_targets(anomalous: BoolArray) -> FloatArray:
    """Return Platt's targets, a little inside 0..1: no finite sample proves certainty."""
    positives, negatives = anomalous.sum(), (~anomalous).sum()
    targets: FloatArray = np.where(
        anomalous, (positives + 1) / (positives + 2), 1 / (negatives + 2)
    )
    return targets
