"""The verdict on the study: rows calibrated on some furnaces are judged on others.

All rows go through the same rule for the same budget of false alarms, and all figures are
computed for the same resamples of the furnaces, so that differences between rows are paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meltwatch_core.alarms.setpoints.bootstrap import Estimate, FloatArray, estimate, resample
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget, ThresholdBasis

from meltwatch_trainer.judge.alarm_figures import normal_days
from meltwatch_trainer.judge.calibration_error import (
    Doubt,
    Reliability,
    judge_doubt,
    reliability,
)
from meltwatch_trainer.judge.row_calibration import (
    CalibratedRow,
    calibrate,
    served_basis,
    served_judge,
)
from meltwatch_trainer.judge.row_figures import Judged, RowJudge, baselines, judge_row
from meltwatch_trainer.judge.scores import ENSEMBLE, Scores
from meltwatch_trainer.judge.study_rows import BEFORE, FAITHFUL

COMPARED: Final = ("recall", "auroc", "false_per_day")


@dataclass(frozen=True, slots=True)
class StateVerdict:
    """Calibration and disagreement of what is served, in one availability state.

    Attributes
    ----------
    error
        Expected calibration error.
    disagreement, uncertainty
        Doubt by the members' disagreement; by the nearness of the fused logit to 0.
    """

    state: str
    error: Estimate
    reliability: Reliability
    disagreement: Doubt
    uncertainty: Doubt


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """Everything found on one set of runs.

    Attributes
    ----------
    furnaces, faults, normal_days
        Its size; normal days are those in which an alarm would have been false.
    differences
        Row to figure to what the ensemble has more of it.
    """

    name: str
    furnaces: int
    faults: int
    normal_days: float
    judged: tuple[Judged, ...]
    differences: Mapping[str, Mapping[str, Estimate]]
    states: tuple[StateVerdict, ...]


@dataclass(frozen=True, slots=True)
class JudgingVerdict:
    """Thresholds, and their results on each set of runs."""

    rule: AlarmRule
    budget: Budget
    judges: tuple[CalibratedRow, ...]
    sets: tuple[SetVerdict, ...]

    @property
    def served(self) -> CalibratedRow:
        """The judge of the served ensemble with both modalities; its threshold serves all."""
        return served_judge(self.judges)

    @property
    def served_basis(self) -> ThresholdBasis:
        """What the served threshold rests on."""
        return served_basis(self.judges)


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that are the same for all rows."""

    rule: AlarmRule = field(default_factory=AlarmRule)
    budget: Budget = field(default_factory=Budget)


def judge_study(calibration: Scores, sets: Mapping[str, Scores], terms: Terms) -> JudgingVerdict:
    """Calibrate and judge everything that was scored; the ensemble's members must be.

    Raises
    ------
    ScoresError
        If the scores cannot be calibrated on.
    """
    judges = calibrate(calibration, terms.rule, terms.budget)
    found = tuple(judge_set(name, scores, judges, terms.rule) for name, scores in sets.items())
    return JudgingVerdict(terms.rule, terms.budget, judges, found)


def judge_set(name: str, scores: Scores, judges: Sequence[RowJudge], rule: AlarmRule) -> SetVerdict:
    """Judge all rows on furnaces that neither networks nor calibration have seen."""
    weights = resample(len(scores.furnaces))
    judged = {judge.row.name: judge_row(scores, judge, rule, weights) for judge in judges}
    per_day = float(judged[ENSEMBLE].figures["alarms_per_day"][0])
    served = [judge for judge in judges if judge.served]
    return SetVerdict(
        name=name,
        furnaces=len(scores.furnaces),
        faults=len(scores.fault_run),
        normal_days=float(normal_days(scores).sum()),
        judged=(*judged.values(), *baselines(scores, rule, per_day, weights)),
        differences=_differences(judged),
        states=tuple(_judge_state(scores, judge, weights) for judge in served),
    )


def _differences(judged: Mapping[str, Judged]) -> dict[str, dict[str, Estimate]]:
    ensemble = judged[ENSEMBLE].figures
    return {
        other: {name: estimate(ensemble[name] - judged[other].figures[name]) for name in COMPARED}
        for other in (FAITHFUL, BEFORE)
        if other in judged
    }


def _judge_state(scores: Scores, judge: RowJudge, weights: FloatArray) -> StateVerdict:
    clear = scores.clear
    logits, anomalous = judge.fusion.logits(scores)[clear], scores.label[clear] == 1
    found = reliability(logits, anomalous, scores.run[clear], weights)
    wrong = (logits >= 0) != anomalous
    return StateVerdict(
        state=judge.row.state,
        error=estimate(found.error),
        reliability=found,
        disagreement=judge_doubt(judge.fusion.disagreement(scores)[clear], wrong),
        uncertainty=judge_doubt(-abs(logits), wrong),
    )
