"""Every row calibrated and given its threshold by one rule, on the same furnaces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.held_level import AlarmRule, held_levels
from meltwatch_core.alarms.setpoints.threshold import (
    Budget,
    NormalOperation,
    NoTailError,
    ThresholdBasis,
    find_threshold,
)
from meltwatch_schemas.alarm_point import Setpoint
from numpy.typing import NDArray

from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.events import LATE_S
from meltwatch_trainer.judge.fusion import Fused, fit_fusion
from meltwatch_trainer.judge.scores import ENSEMBLE, Scores
from meltwatch_trainer.judge.study_rows import ROWS, SERVED_ROWS, Row

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SIMULATED: Final = "simulated furnaces"


@dataclass(frozen=True, slots=True)
class CalibratedRow:
    """A row with its calibration and its threshold.

    Attributes
    ----------
    basis
        What the row's own scores say.
    logit_on
        The threshold in use: the basis's, or of the served rows the highest of theirs.
    """

    row: Row
    fusion: Fused
    basis: ThresholdBasis
    logit_on: float

    def setpoints(self, scores: Scores, rule: AlarmRule) -> list[Setpoint]:
        """Return the set-point of each run: the same."""
        return [rule.setpoint(self.logit_on)] * len(scores.furnaces)

    @property
    def served(self) -> bool:
        """Whether the row is the served ensemble, in some availability state."""
        return self.row in SERVED_ROWS


def served_judge(judges: Sequence[CalibratedRow]) -> CalibratedRow:
    """Return the judge of the ensemble with both modalities; its threshold serves all states."""
    return next(judge for judge in judges if judge.row.name == ENSEMBLE)


def served_basis(judges: Sequence[CalibratedRow]) -> ThresholdBasis:
    """Return what the served threshold rests on: the state that needed the highest."""
    logit_on = served_judge(judges).logit_on
    return next(judge.basis for judge in judges if judge.basis.logit_on == logit_on)


def calibrate(
    scores: Scores,
    rule: AlarmRule,
    budget: Budget,
    kind: str = SIMULATED,
    rows: Sequence[Row] = ROWS,
) -> tuple[CalibratedRow, ...]:
    """Return a judge of every row that was scored.

    Parameters
    ----------
    kind
        What the furnaces are called in what a threshold rests on.
    rows
        What is judged.
    """
    scored = [row for row in rows if row.scored_in(scores)]
    judges = [_calibrated(scores, row, rule, budget, kind) for row in scored]
    served = [judge for judge in judges if judge.served]
    sound = [judge for judge in served if judge.basis.refusal is None] or served
    shared = max((judge.logit_on for judge in sound), default=0.0)
    return tuple(replace(judge, logit_on=shared) if judge.served else judge for judge in judges)


def _calibrated(
    scores: Scores, row: Row, rule: AlarmRule, budget: Budget, kind: str
) -> CalibratedRow:
    fusion = fit_fusion(scores, row.models, row.state)
    basis = choose_threshold(scores, fusion.logits(scores), rule, budget, kind)
    return CalibratedRow(row, fusion, basis, basis.logit_on)


def choose_threshold(
    scores: Scores, logits: FloatArray, rule: AlarmRule, budget: Budget, kind: str = SIMULATED
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
    # Runs follow one another on one time axis, too far apart to share an occasion.
    times_s = scores.end_s + scores.run * (scores.durations_s.max() + 1e6)
    operation = NormalOperation(
        held=held[normal],
        times_s=times_s[normal],
        unit=scores.run[normal],
        units=len(scores.furnaces),
        hop_s=scores.hop_s,
        furnaces=len(scores.furnaces),
        kind=kind,
    )
    try:
        basis = find_threshold(operation, budget)
    except NoTailError as error:
        raise ScoresError(str(error)) from error
    highest = _highest_in_faults(scores, held, raised_s)
    margin = float(np.median(highest)) - basis.logit_on if highest.size else None
    return replace(basis, margin=margin)


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


def _highest_in_faults(scores: Scores, held: FloatArray, raised_s: FloatArray) -> FloatArray:
    """Return the highest threshold at which each fault would still be shown, ``(f,)``."""
    highest = []
    for run, start_s, end_s in scores.faults():
        shows = (scores.run == run) & (raised_s >= start_s) & (raised_s <= end_s + LATE_S)
        highest.append(held[shows].max(initial=-np.inf))
    return np.array(highest)
