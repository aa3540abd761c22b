"""Calibrate networks on furnaces that none has seen, and fuse them: the aggregate, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.scores import Scores, score_key
from meltwatch_trainer.judge.statistics import Platt, fit_log_odds, fit_platt
from meltwatch_trainer.network.availability import AVAILABILITY

FloatArray = NDArray[np.float64]


class Fused(Protocol):
    """Gives log-odds of what was scored."""

    def logits(self, scores: Scores, /) -> FloatArray:
        """Return the fused log-odds, shape ``(n,)``."""
        ...

    def disagreement(self, scores: Scores, /) -> FloatArray:
        """Return the standard deviation of the networks' log-odds, shape ``(n,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Fusion:
    """Some networks on one scale in one availability state.

    Attributes
    ----------
    models
        Their names; one is enough.
    state
        The availability state.
    members
        Calibrates each network, so that their log-odds can be averaged and compared.
    mean
        Calibrates the average: agreeing networks are surer together than each alone.
    """

    models: tuple[str, ...]
    state: str
    members: tuple[Platt, ...]
    mean: Platt

    def member_logits(self, scores: Scores) -> FloatArray:
        """Return each network's calibrated log-odds, shape ``(models, n)``."""
        raw = _raw(scores, self.models, self.state)
        return np.stack([line(row) for line, row in zip(self.members, raw, strict=True)])

    def logits(self, scores: Scores) -> FloatArray:
        """Return the fused log-odds, shape ``(n,)``."""
        return self.mean(self.member_logits(scores).mean(axis=0))

    def disagreement(self, scores: Scores) -> FloatArray:
        """Return the standard deviation of the networks' log-odds, shape ``(n,)``."""
        return self.member_logits(scores).std(axis=0)


def fit_fusion(scores: Scores, models: Sequence[str], state: str) -> Fusion:
    """Fit networks to the clear windows of furnaces that none of them was trained on.

    Raises
    ------
    ScoresError
        If a network was not scored in the state, or a class has no window.
    """
    clear = scores.clear
    anomalous = scores.label[clear] == 1
    if anomalous.all() or not anomalous.any():
        raise ScoresError("expected normal and anomalous windows to calibrate on, got one kind")
    raw = _raw(scores, models, state)[:, clear]
    lines = tuple(fit_platt(row, anomalous) for row in raw)
    mean = np.mean([line(row) for line, row in zip(lines, raw, strict=True)], axis=0)
    return Fusion(tuple(models), state, lines, fit_platt(mean, anomalous))


@dataclass(frozen=True, slots=True)
class Stacked:
    """Members and an expert on one scale: ``scale * mean + weight * expert + shift``.

    A sum, never the larger of both: each sees faults that the other does not.

    Attributes
    ----------
    members
        What is served without the expert.
    expert
        The expert's name.
    scale, weight, shift
        None is negative but the shift. A weight of 0 leaves every score as it is without the
        expert, bit by bit; a scale of 0 leaves the members unasked.
    """

    members: Fusion
    expert: str
    scale: float
    weight: float
    shift: float

    def logits(self, scores: Scores) -> FloatArray:
        """Return the fused log-odds, shape ``(n,)``."""
        if self.weight == 0:
            return self.members.logits(scores)
        mean = self.members.member_logits(scores).mean(axis=0)
        return (
            self.scale * mean
            + self.weight * _said(scores, self.expert, self.members.state)
            + self.shift
        )

    def disagreement(self, scores: Scores) -> FloatArray:
        """Return the standard deviation of the members' log-odds; the expert is none of them."""
        return self.members.disagreement(scores)


def fit_stacked(scores: Scores, models: Sequence[str], expert: str, state: str) -> Stacked:
    """Fit an expert's weight to the clear windows of furnaces that nobody was trained on.

    Where there are no currents it has none. Who would speak against the truth, beside the other,
    is not asked.

    Raises
    ------
    ScoresError
        If a network was not scored in the state, or a class has no window.
    """
    members = fit_fusion(scores, models, state)
    without = Stacked(members, expert, members.mean.scale, 0.0, members.mean.shift)
    if not AVAILABILITY[state][1]:
        return without
    clear = scores.clear
    anomalous = scores.label[clear] == 1
    mean = members.member_logits(scores).mean(axis=0)[clear]
    said = _said(scores, expert, state)[clear]
    scale, weight, shift = fit_log_odds([mean, said], anomalous)
    if weight <= 0:
        return without
    if scale <= 0:
        return Stacked(members, expert, 0.0, *fit_log_odds([said], anomalous))
    return Stacked(members, expert, scale, weight, shift)


def fit_aggregate(
    scores: Scores, models: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scale and shift of the served aggregate, each ``(states, models + 1)``.

    Rows are the states of ``AVAILABILITY``; the last column belongs to the mean.
    """
    fusions = [fit_fusion(scores, models, state) for state in AVAILABILITY]
    rows = [[*fusion.members, fusion.mean] for fusion in fusions]
    scale = np.array([[line.scale for line in row] for row in rows], dtype=np.float32)
    shift = np.array([[line.shift for line in row] for row in rows], dtype=np.float32)
    return scale, shift


def _raw(scores: Scores, models: Sequence[str], state: str) -> FloatArray:
    missing = [model for model in models if score_key(model, state) not in scores.logits]
    if missing:
        raise ScoresError(f"expected scores of {', '.join(missing)} in state {state}: score first")
    return np.stack([scores.logits[score_key(model, state)] for model in models]).astype(float)


def _said(scores: Scores, expert: str, state: str) -> FloatArray:
    return scores.logits[score_key(expert, state)].astype(float)
