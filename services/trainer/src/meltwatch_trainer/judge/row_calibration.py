"""Every row calibrated and given its threshold by one rule, on the same furnaces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget, ThresholdBasis

from meltwatch_trainer.judge.fusion import Fusion, fit_fusion
from meltwatch_trainer.judge.scores import ENSEMBLE, Scores
from meltwatch_trainer.judge.study_rows import OTHER_ROWS, SERVED_ROWS, Row
from meltwatch_trainer.judge.thresholds import choose_threshold


@dataclass(frozen=True, slots=True)
class Judge:
    """A row with its calibration and its threshold.

    Attributes
    ----------
    basis
        What the row's own scores say.
    logit_on
        The threshold in use: the basis's, or of the served rows the highest of theirs.
    """

    row: Row
    fusion: Fusion
    basis: ThresholdBasis
    logit_on: float

    @property
    def served(self) -> bool:
        """Whether the row is the served ensemble, in some availability state."""
        return self.row in SERVED_ROWS


def served_judge(judges: Sequence[Judge]) -> Judge:
    """Return the judge of the ensemble with both modalities; its threshold serves all states."""
    return next(judge for judge in judges if judge.row.name == ENSEMBLE)


def served_basis(judges: Sequence[Judge]) -> ThresholdBasis:
    """Return what the served threshold rests on: the state that needed the highest."""
    logit_on = served_judge(judges).logit_on
    return next(judge.basis for judge in judges if judge.basis.logit_on == logit_on)


def calibrate(scores: Scores, rule: AlarmRule, budget: Budget) -> tuple[Judge, ...]:
    """Return a judge of every row that was scored."""
    rows = [row for row in (*SERVED_ROWS, *OTHER_ROWS) if row.scored_in(scores)]
    judges = [_calibrated(scores, row, rule, budget) for row in rows]
    served = [judge for judge in judges if judge.served]
    sound = [judge for judge in served if judge.basis.refusal is None] or served
    shared = max((judge.logit_on for judge in sound), default=0.0)
    return tuple(replace(judge, logit_on=shared) if judge.served else judge for judge in judges)


def _calibrated(scores: Scores, row: Row, rule: AlarmRule, budget: Budget) -> Judge:
    fusion = fit_fusion(scores, row.models, row.state)
    basis = choose_threshold(scores, fusion.logits(scores), rule, budget)
    return Judge(row, fusion, basis, basis.logit_on)
