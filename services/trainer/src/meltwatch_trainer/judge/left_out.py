"""Runs judged by thresholds that were found without their own recording."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import FloatArray
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_schemas.alarm_point import Setpoint

from meltwatch_trainer.judge.fusion import Fused
from meltwatch_trainer.judge.judging import JudgingVerdict, Terms, judge_set
from meltwatch_trainer.judge.row_calibration import CalibratedRow, calibrate
from meltwatch_trainer.judge.score_sets import joined
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.study_rows import ROWS, SERVED_ROWS, Row

LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class LeftOutFusion:
    """Networks on one scale: for each run, the scale of the recordings that are not its own.

    Attributes
    ----------
    of_run
        By run.
    """

    of_run: tuple[Fused, ...]

    def logits(self, scores: Scores) -> FloatArray:
        """Return the fused log-odds, shape ``(n,)``."""
        return self._by_run(scores, lambda fusion: fusion.logits(scores))

    def disagreement(self, scores: Scores) -> FloatArray:
        """Return the standard deviation of the networks' log-odds, shape ``(n,)``."""
        return self._by_run(scores, lambda fusion: fusion.disagreement(scores))

    def _by_run(self, scores: Scores, said: Callable[[Fused], FloatArray]) -> FloatArray:
        every = {id(fusion): said(fusion) for fusion in self.of_run}
        found = np.empty(len(scores.run))
        for part, fusion in zip(scores.runs(), self.of_run, strict=True):
            found[part] = every[id(fusion)][part]
        return found


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A row with, for each run, calibration and threshold of the other recordings.

    Attributes
    ----------
    of_run
        By run.
    """

    row: Row
    of_run: tuple[CalibratedRow, ...]

    @property
    def fusion(self) -> LeftOutFusion:
        """How its networks are fused."""
        return LeftOutFusion(tuple(judge.fusion for judge in self.of_run))

    @property
    def served(self) -> bool:
        """Whether it is the served ensemble, in some availability state."""
        return self.row in SERVED_ROWS

    def setpoints(self, scores: Scores, rule: AlarmRule) -> list[Setpoint]:
        """Return the set-point of each run."""
        del scores
        return [rule.setpoint(judge.logit_on) for judge in self.of_run]


def judge_left_out(
    recordings: Sequence[Scores],
    groups: Sequence[Sequence[int]],
    terms: Terms,
    kind: str,
    rows: Sequence[Row] = ROWS,
) -> JudgingVerdict:
    """Judge recordings, each scored by networks that have not learned from it.

    Parameters
    ----------
    recordings
        Scores of the runs of each recording.
    groups
        Numbers of the recordings that were left out together.
    kind
        What their runs are called in what a threshold rests on.
    rows
        What is judged, where it was scored.

    Returns
    -------
    The judges that rest on all recordings, which are what is served; and one set of runs, judged
    without their own recording.

    Raises
    ------
    ScoresError
        If what is left beside a group cannot be calibrated on.
    """
    rule, budget = terms.rule, terms.budget
    group_of = {number: i for i, group in enumerate(groups) for number in group}
    without = [
        calibrate(
            joined([each for number, each in enumerate(recordings) if number not in group]),
            rule,
            budget,
            kind,
            rows,
        )
        for group in groups
    ]
    judges_of_run = [
        without[group_of[number]]
        for number, scores in enumerate(recordings)
        for _ in scores.furnaces
    ]
    judges = [
        LeftOutRow(row.row, tuple(judges[number] for judges in judges_of_run))
        for number, row in enumerate(without[0])
    ]
    whole = joined(list(recordings))
    judged = judge_set(LEFT_OUT, whole, judges, rule)
    return JudgingVerdict(rule, budget, calibrate(whole, rule, budget, kind, rows), (judged,))
