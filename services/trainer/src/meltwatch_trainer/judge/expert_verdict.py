"""The ensemble with an expert beside it, held against the ensemble without: rows and differences.

Everything is chosen on the calibration furnaces; differences are paired by furnace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meltwatch_core.alarms.setpoints.bootstrap import Estimate, FloatArray, estimate, resample

from meltwatch_trainer.judge.alarm_figures import normal_days
from meltwatch_trainer.judge.fusion import Fused, Stacked, fit_fusion, fit_stacked
from meltwatch_trainer.judge.judging import Terms
from meltwatch_trainer.judge.row_calibration import CalibratedRow, choose_threshold
from meltwatch_trainer.judge.row_figures import Judged, judge_row
from meltwatch_trainer.judge.scores import ENSEMBLE, Scores
from meltwatch_trainer.judge.study_rows import Row
from meltwatch_trainer.judge.verdict_tables import NONE, interval, table
from meltwatch_trainer.train.study import SHIPPED

WITHOUT: Final = "without"
STATES: Final = {"both": "", "current": ", video lost"}
"""Where an expert on currents can speak, and what a row's title says of it."""
COMPARED: Final = {"recall": 3, "recall_veiled": 2, "auroc": 4, "false_per_day": 2}
"""Figures that rows are held against each other by, and the digits that they are told with."""
SHOWN: Final = {
    "recall": 3,
    "false_per_day": 2,
    "auroc": 4,
    "recall_veiled": 2,
    "recall_plain": 2,
    "recall_misty": 2,
    "recall_silent": 2,
}
HEADINGS: Final = (
    "event recall",
    "false alarms per furnace-day",
    "AUROC",
    "veiled",
    "plain",
    "misty",
    "silent",
)


@dataclass(frozen=True, slots=True)
class ExpertSetVerdict:
    """What was found on one set of runs.

    Attributes
    ----------
    rows
        By name.
    gains
        Row with an expert to figure to what it has more of it than the same row without.
    """

    name: str
    furnaces: int
    faults: int
    normal_days: float
    rows: Mapping[str, Judged]
    gains: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True, slots=True)
class ExpertVerdict:
    """Rows with their thresholds, and what they show on each set."""

    judges: Mapping[str, CalibratedRow]
    sets: tuple[ExpertSetVerdict, ...]

    def told_weights(self, name: str) -> str:
        """Return for people what members and expert weigh in a row."""
        fusion = self.judges[name].fusion
        return f"{fusion.scale:.2f}, {fusion.weight:.2f}" if isinstance(fusion, Stacked) else NONE


def judge_experts(
    calibration: Scores, sets: Mapping[str, Scores], experts: Mapping[str, str], terms: Terms
) -> ExpertVerdict:
    """Judge the ensemble with each expert, and without any.

    Parameters
    ----------
    experts
        Name to title.

    Raises
    ------
    ScoresError
        If the scores cannot be calibrated on.
    """
    judges = {judge.row.name: judge for judge in _calibrated(calibration, experts, terms)}
    found = tuple(_judge_set(name, scores, judges, experts, terms) for name, scores in sets.items())
    return ExpertVerdict(judges, found)


def row_name(expert: str, state: str) -> str:
    """Return the name of the row of the ensemble with an expert, or ``WITHOUT`` any."""
    return f"{ENSEMBLE}/{expert}/{state}"


def _calibrated(scores: Scores, experts: Mapping[str, str], terms: Terms) -> list[CalibratedRow]:
    judges = []
    for expert, title in {**experts, WITHOUT: ""}.items():
        own = []
        for state, lost in STATES.items():
            name = row_name(expert, state)
            if expert == WITHOUT:
                fusion: Fused = fit_fusion(scores, SHIPPED, state)
                row = Row(name, f"ensemble without expert{lost}", SHIPPED, state)
            else:
                fusion = fit_stacked(scores, SHIPPED, expert, state)
                row = Row(name, f"ensemble with {title}{lost}", (*SHIPPED, expert), state)
            own.append(_with_threshold(scores, row, fusion, terms))
        judges += one_threshold_a_state(own)
    for expert, title in experts.items():
        row = Row(expert, f"{title} alone", (expert,))
        judges.append(_with_threshold(scores, row, fit_fusion(scores, (expert,), "both"), terms))
    return judges


def one_threshold_a_state(judges: Sequence[CalibratedRow]) -> list[CalibratedRow]:
    """Return states of one ensemble: who has no sound threshold takes the highest of the sound."""
    sound = [judge.logit_on for judge in judges if judge.basis.refusal is None]
    if not sound:
        return list(judges)
    return [
        judge if judge.basis.refusal is None else replace(judge, logit_on=max(sound))
        for judge in judges
    ]


def _with_threshold(scores: Scores, row: Row, fusion: Fused, terms: Terms) -> CalibratedRow:
    basis = choose_threshold(scores, fusion.logits(scores), terms.rule, terms.budget)
    return CalibratedRow(row, fusion, basis, basis.logit_on)


def _judge_set(
    name: str,
    scores: Scores,
    judges: Mapping[str, CalibratedRow],
    experts: Mapping[str, str],
    terms: Terms,
) -> ExpertSetVerdict:
    weights = resample(len(scores.furnaces))
    rows = {key: judge_row(scores, judge, terms.rule, weights) for key, judge in judges.items()}
    gains = {
        row_name(expert, state): _gain(
            rows[row_name(expert, state)].figures, rows[row_name(WITHOUT, state)].figures
        )
        for expert in experts
        for state in STATES
    }
    days = float(normal_days(scores).sum())
    return ExpertSetVerdict(name, len(scores.furnaces), len(scores.fault_run), days, rows, gains)


def _gain(
    figures: Mapping[str, FloatArray], without: Mapping[str, FloatArray]
) -> dict[str, Estimate]:
    return {name: estimate(figures[name] - without[name]) for name in COMPARED}


def expert_tables(verdict: ExpertVerdict) -> str:
    """Return the verdict in Markdown."""
    return "\n\n".join(part for one in verdict.sets for part in _set_tables(verdict, one))


def _set_tables(verdict: ExpertVerdict, one: ExpertSetVerdict) -> Sequence[str]:
    caption = (
        f"**Simulated**: {one.furnaces} furnaces of the set `{one.name}`, {one.faults} faults, "
        f"{one.normal_days:.2f} furnace-days of normal operation. In brackets 95 % intervals: "
        f"over furnaces, of false alarms exact for Poisson counts."
    )
    rows = []
    for name, judged in one.rows.items():
        told = [interval(judged.estimate(figure), digits) for figure, digits in SHOWN.items()]
        rows.append(
            [
                judged.title,
                verdict.told_weights(name),
                f"{verdict.judges[name].logit_on:.2f}",
                *told,
            ]
        )
    gains = [
        [one.rows[name].title, *(interval(gain[f], n, signed=True) for f, n in COMPARED.items())]
        for name, gain in one.gains.items()
    ]
    compared = ("event recall", "veiled", "AUROC", "false alarms per furnace-day")
    return (
        caption,
        table(("row", "weights of members, expert", "threshold", *HEADINGS), rows),
        table(("more than without expert", *compared), gains),
    )
