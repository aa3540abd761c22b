"""The card of an ensemble that was fitted to own recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget

from meltwatch_trainer.benchmark.evaluation import Confusion, confusion
from meltwatch_trainer.benchmark.plan import PRESETS, UNKNOWN, paper_numbers
from meltwatch_trainer.data.recorded.enough import HOUR_S, RecordingSize
from meltwatch_trainer.judge.fusion import fit_fusion
from meltwatch_trainer.judge.judging import JudgingVerdict
from meltwatch_trainer.judge.score_sets import joined
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.study_rows import BEFORE, ROWS
from meltwatch_trainer.judge.verdict_tables import (
    calibration_table,
    difference_table,
    interval,
    main_table,
    table,
    threshold_table,
)

METRICS: Final = ("accuracy", "F1", "FDR", "MDR")

Figures = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class FitFacts:
    """What a card says beside the verdict.

    Attributes
    ----------
    groups
        How often something was left out.
    refusal
        Why there is no set-point; None if there is one.
    windows
        Row to metric of the paper to what was found.
    """

    sizes: Sequence[RecordingSize]
    groups: int
    digest: str
    refusal: str | None
    windows: Figures


def window_figures(groups: Sequence[Sequence[int]], recordings: Sequence[Scores]) -> Figures:
    """Return the paper's metrics of windows that were left out; log-odds of 0 decide.

    The decision is calibrated on the other recordings. Unclear windows are not counted.
    """
    found: dict[str, Mapping[str, float | None]] = {}
    for row in ROWS:
        if not all(row.scored_in(scores) for scores in recordings):
            continue
        counts = Confusion()
        for group in groups:
            rest = [each for number, each in enumerate(recordings) if number not in group]
            fusion = fit_fusion(joined(rest), row.models, row.state)
            for number in group:
                scores, clear = recordings[number], recordings[number].clear
                counts += confusion(fusion.logits(scores)[clear] >= 0, scores.label[clear] == 1)
        values = (counts.accuracy, counts.f1, counts.fdr, counts.mdr)
        found[row.name] = {
            metric: value if isfinite(value) else None
            for metric, value in zip(METRICS, values, strict=True)
        }
    return found


def card(verdict: JudgingVerdict, facts: FitFacts) -> str:
    """Return the card as Markdown."""
    (left_out,) = verdict.sets
    gain = gain_line(verdict)
    intro = (
        "Made by `meltwatch-trainer fit` from own recordings. Where these are simulated, so are "
        "all figures."
    )
    how = (
        f"Whole recordings were left out in {facts.groups} groups, each once. Members that had "
        f"not learned from a recording scored it. Calibration and threshold came from the others. "
        f"What is exported has learned from all of them. So no figure is of its own weights, and "
        f"its calibration comes from the members that were left without."
    )
    caption = (
        f"**Left out**: {left_out.furnaces} stretches, {left_out.faults} faults, "
        f"{left_out.normal_days:.2f} furnace-days of normal operation. In brackets 95 % "
        f"intervals: over stretches, of false alarms exact for Poisson counts."
    )
    windows = (
        "Windows, by the metrics of the paper. Its furnaces are others, and each is in both of "
        "its splits."
    )
    parts = (
        *("# An ensemble fitted to own recordings", intro, f"Digest: `{facts.digest}`"),
        *("## Data", _recordings(facts.sizes)),
        *("## Set-point", _setpoint(verdict, facts.refusal)),
        *("## How it was judged", how, caption, main_table(left_out)),
        *([difference_table(left_out), f"So it is {gain}."] if gain else []),
        *(windows, _windows_table(facts.windows, {row.name: row.title for row in left_out.judged})),
        calibration_table(left_out),
        *("Thresholds on all recordings:", threshold_table(verdict)),
    )
    return "\n\n".join(parts) + "\n"


def gain_line(verdict: JudgingVerdict, other: str = "the ensemble before") -> str | None:
    """Return what an ensemble gains over another one; None if there was none beside it."""
    (left_out,) = verdict.sets
    if BEFORE not in left_out.differences:
        return None
    found = left_out.differences[BEFORE]
    recall, auroc = found["recall"], found["auroc"]
    told = (
        f"event recall {interval(recall, 3, signed=True)}, AUROC {interval(auroc, 4, signed=True)}"
    )
    if recall.high < 0 or auroc.high < 0:
        return f"worse than {other}: {told}; keep that one"
    if recall.low > 0 or auroc.low > 0:
        return f"better than {other}: {told}"
    return f"no proven gain over {other}: {told}; keep that one, or record more"


def setpoint_line(verdict: JudgingVerdict, refusal: str | None) -> str:
    """Return the set-point, or why there is none, as one line."""
    if refusal is None:
        rule: AlarmRule = verdict.rule
        return (
            f"raise at log-odds of {verdict.served.logit_on:.2f} held for {rule.on_delay_s:g} s: "
            f"{verdict.served_basis.text()}"
        )
    return f"none: {refusal}; find it on the plant's own operation by 'meltwatch alarms setpoint'"


def _setpoint(verdict: JudgingVerdict, refusal: str | None) -> str:
    line = setpoint_line(verdict, refusal)
    budget: Budget = verdict.budget
    return f"For {budget.false_alarms:g} false alarms per furnace-day: {line}."


def _recordings(sizes: Sequence[RecordingSize]) -> str:
    return table(
        ("recording", "labelled faults", "hours of normal operation"),
        [[size.name, f"{size.faults}", f"{size.normal_s / HOUR_S:.2f}"] for size in sizes],
    )


def _windows_table(figures: Figures, titles: Mapping[str, str]) -> str:
    paper = paper_numbers(PRESETS["fmformer-b"])
    rows = [
        [titles[name], *("undefined" if v is None else f"{v:.4f}" for v in found.values())]
        for name, found in figures.items()
    ]
    rows.append(["the paper's FmFormer-B", *(paper.get(metric, UNKNOWN) for metric in METRICS)])
    return table(("row", *METRICS), rows)
