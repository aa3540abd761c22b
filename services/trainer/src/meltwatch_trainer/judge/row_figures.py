"""The figures of one row on a set of runs, beside rows that never look at the furnace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import (
    Estimate,
    FloatArray,
    estimate,
    ratio,
    unit_sums,
)
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_schemas.alarm_point import Setpoint
from numpy.typing import NDArray

from meltwatch_trainer.judge.alarm_figures import (
    AlarmOutcome,
    alarm_figures,
    alarm_outcome,
    constant_raises,
    delay_curve,
    normal_days,
    raised_by_rule,
    random_raises,
)
from meltwatch_trainer.judge.events import rate_bounds
from meltwatch_trainer.judge.fusion import Fused
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.study_rows import Row

PIXELS: Final = 64 * 64
DELAYS_S: Final = np.arange(0.0, 181.0)
FALSE_SHARES: Final = np.logspace(-4, 0, 81)
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Judged:
    """A row's figures on a set of runs.

    Attributes
    ----------
    figures
        Name to ``(sets,)``: of the sample itself, then of its resamples.
    delays
        Share of all faults shown within each of ``DELAYS_S``.
    roc
        Share of anomalous windows found at each of ``FALSE_SHARES`` of the normal ones.
    false_per_day
        The exact estimate of its false alarms.
    """

    name: str
    title: str
    figures: Mapping[str, FloatArray]
    delays: FloatArray
    roc: FloatArray
    false_per_day: Estimate

    def estimate(self, figure: str) -> Estimate | None:
        """Return a figure and its interval, of false alarms the exact one; None if it has none."""
        if figure not in self.figures:
            return None
        if figure == "false_per_day":
            return self.false_per_day
        return estimate(self.figures[figure])


class RowJudge(Protocol):
    """A row with its calibration and its thresholds (see ``CalibratedRow``)."""

    @property
    def row(self) -> Row:
        """What is judged."""
        ...

    @property
    def fusion(self) -> Fused:
        """How its networks are fused."""
        ...

    @property
    def served(self) -> bool:
        """Whether it is the served ensemble, in some availability state."""
        ...

    def setpoints(self, scores: Scores, rule: AlarmRule, /) -> Sequence[Setpoint]:
        """Return the set-point of each run."""
        ...


def judge_row(scores: Scores, judge: RowJudge, rule: AlarmRule, weights: FloatArray) -> Judged:
    """Judge a row by its windows, its pixels and its alarms."""
    logits = judge.fusion.logits(scores)
    raised = raised_by_rule(scores, logits, judge.setpoints(scores, rule))
    outcome = alarm_outcome(scores, raised)
    clear = scores.clear
    ranked, anomalous = logits[clear], scores.label[clear] == 1
    figures = alarm_figures(scores, outcome, weights)
    figures["auroc"] = aurocs(ranked, anomalous, scores.run[clear], weights)
    figures["average_precision"] = _alone(average_precision(ranked, anomalous), weights)
    if judge.row.pixels in scores.pixels:
        figures |= _pixel_figures(scores, scores.pixels[judge.row.pixels], weights)
    return Judged(
        name=judge.row.name,
        title=judge.row.title,
        figures=figures,
        delays=delay_curve(outcome, DELAYS_S),
        roc=recall_at(ranked, anomalous, FALSE_SHARES),
        false_per_day=_false_per_day(scores, outcome),
    )


def baselines(
    scores: Scores, rule: AlarmRule, per_day: float, weights: FloatArray
) -> tuple[Judged, ...]:
    """Return the figures of alarms that never look: as often as possible, never, and by chance.

    Parameters
    ----------
    per_day
        Alarms of all kinds per furnace-day that chance raises.
    """
    raised: dict[str, list[list[float]]] = {
        "always": constant_raises(scores, rule.on_delay_s + rule.off_delay_s),
        "never": [[]] * len(scores.furnaces),
        "random": random_raises(scores, per_day),
    }
    titles = {
        "always": "always: an alarm as often as the rule can raise one",
        "never": "never",
        "random": "random, at the ensemble's rate of alarms",
    }
    anomalous = scores.label[scores.clear] == 1
    blind = {
        "auroc": _alone(0.5, weights),
        "average_precision": _alone(float(anomalous.mean()), weights),
    }
    judged = []
    for name, times_s in raised.items():
        outcome = alarm_outcome(scores, times_s)
        figures = alarm_figures(scores, outcome, weights) | blind
        delays = delay_curve(outcome, DELAYS_S)
        exact = _false_per_day(scores, outcome)
        judged.append(Judged(name, titles[name], figures, delays, FALSE_SHARES, exact))
    return tuple(judged)


def _false_per_day(scores: Scores, outcome: AlarmOutcome) -> Estimate:
    count, days = int(outcome.false_alarms.sum()), float(normal_days(scores).sum())
    return Estimate(count / days, *rate_bounds(count, days))


def _pixel_figures(
    scores: Scores, pixels: NDArray[np.int64], weights: FloatArray
) -> dict[str, FloatArray]:
    """Return intersection over union of anomalous pixels, and its mean over both classes."""
    hit, false, missed = weights @ pixels[:, 0], weights @ pixels[:, 1], weights @ pixels[:, 2]
    counted = np.bincount(scores.run[scores.label >= 0], minlength=len(scores.furnaces))
    normal = weights @ counted * PIXELS - hit - false - missed
    iou = ratio(hit, hit + false + missed)
    return {"iou": iou, "miou": (iou + ratio(normal, normal + false + missed)) / 2}


def _alone(figure: float, weights: FloatArray) -> FloatArray:
    """Return a figure that has no interval."""
    return np.concatenate([[figure], np.full(len(weights) - 1, np.nan)])


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
