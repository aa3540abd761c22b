"""The verdict as Markdown tables for people."""

from collections.abc import Iterable, Sequence
from math import isfinite, isnan
from typing import Final

from meltwatch_core.alarms.setpoints.bootstrap import Estimate

from meltwatch_trainer.judge.judging import JudgingVerdict, SetVerdict
from meltwatch_trainer.judge.row_figures import Judged

STATE_TITLES: Final = {"both": "both", "video": "video alone", "current": "currents alone"}
NONE: Final = "–"


def tables(verdict: JudgingVerdict) -> dict[str, str]:
    """Return every table of the page by the name of its place there."""
    found = {"thresholds": threshold_table(verdict)}
    for one in verdict.sets:
        found[f"figures on {one.name}"] = "\n\n".join(
            (_set_caption(one), main_table(one), kinds_table(one), difference_table(one))
        )
        found[f"calibration on {one.name}"] = calibration_table(one)
    return found


def main_table(one: SetVerdict) -> str:
    """Return one line per row with its figures and their intervals."""
    head = (
        "row",
        "event recall",
        "false alarms per furnace-day",
        "delay, median / p95 (s)",
        "AUROC",
        "AP",
        "pixel IoU",
        "mIoU",
    )
    return table(head, ([row.title, *_main_cells(row)] for row in one.judged))


def _main_cells(row: Judged) -> list[str]:
    median, p95 = row.estimate("delay_median_s"), row.estimate("delay_p95_s")
    return [
        interval(row.estimate("recall"), 3),
        interval(row.estimate("false_per_day"), 2),
        f"{_figure(median, 1)} / {_figure(p95, 1)}",
        interval(row.estimate("auroc"), 4),
        _figure(row.estimate("average_precision"), 3),
        interval(row.estimate("iou"), 3),
        _figure(row.estimate("miou"), 3),
    ]


def kinds_table(one: SetVerdict) -> str:
    """Return event recall by kind of fault."""
    kinds = ("plain", "misty", "veiled", "silent")
    rows = [row for row in one.judged if row.name not in {"always", "never"}]
    return table(
        ("event recall", *kinds),
        ([row.title, *(interval(row.estimate(f"recall_{k}"), 3) for k in kinds)] for row in rows),
    )


def difference_table(one: SetVerdict) -> str:
    """Return by how much the ensemble's figures exceed those of the others."""
    titles = {row.name: row.title for row in one.judged}
    head = ("ensemble minus", "event recall", "AUROC", "false alarms per furnace-day")
    return table(
        head,
        (
            [
                titles[name],
                interval(found["recall"], 3, signed=True),
                interval(found["auroc"], 4, signed=True),
                interval(found["false_per_day"], 2, signed=True),
            ]
            for name, found in one.differences.items()
        ),
    )


def threshold_table(verdict: JudgingVerdict) -> str:
    """Return what every row's threshold rests on."""
    head = (
        "row",
        "threshold",
        "own (95 %)",
        "highest seen",
        "clusters",
        "reach it",
        "extremal index",
        "level",
        "shape",
        "scale",
        "false alarms per day expected",
        "refused",
    )
    rows = []
    for judge in verdict.judges:
        basis, tail = judge.basis, judge.basis.tail
        rows.append(
            [
                judge.row.title,
                f"{judge.logit_on:.2f}",
                f"{basis.logit_on:.2f} [{basis.low:.2f}, {basis.high:.2f}]",
                f"{basis.highest:.2f}",
                f"{basis.clusters}",
                f"{basis.above}",
                f"{basis.extremal_index:.2f}",
                f"{tail.level:.2f}",
                f"{tail.shape:.2f}",
                f"{tail.scale:.2f}",
                f"{tail.rate_above(judge.logit_on):.2f}",
                basis.refusal or NONE,
            ]
        )
    basis = verdict.served.basis
    caption = (
        f"Budget {basis.budget:g} false alarms per furnace-day, {basis.days:.2f} furnace-days of "
        f"normal operation of {basis.furnaces} {basis.kind} for calibration. "
        f"The served ensemble has one threshold, the highest of its three."
    )
    return f"{caption}\n\n{table(head, rows)}"


def calibration_table(one: SetVerdict) -> str:
    """Return calibration error, and how doubt separates wrong from right, by state."""
    head = (
        "available",
        "expected calibration error",
        "disagreement: AUROC for wrong",
        "nearness to 0: AUROC for wrong",
        "errors by quartile of disagreement, least to most",
    )
    return table(
        head,
        (
            [
                STATE_TITLES[state.state],
                interval(state.error, 3),
                f"{state.disagreement.separation:.3f}",
                f"{state.uncertainty.separation:.3f}",
                ", ".join(f"{share:.2%}" for share in state.disagreement.error_by_quartile),
            ]
            for state in one.states
        ),
    )


def _set_caption(one: SetVerdict) -> str:
    return (
        f"**Simulated**: {one.furnaces} furnaces of the set `{one.name}`, {one.faults} faults, "
        f"{one.normal_days:.2f} furnace-days of normal operation. In brackets 95 % intervals: "
        f"over furnaces, of false alarms exact for Poisson counts."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def interval(found: Estimate | None, digits: int, *, signed: bool = False) -> str:
    """Return an estimate with its interval in brackets."""
    if found is None or isnan(found.value):
        return NONE
    sign = "+" if signed else ""
    value, low, high = (f"{x:{sign}.{digits}f}" for x in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]" if isfinite(found.low) else value


def _figure(found: Estimate | None, digits: int) -> str:
    if found is None or isnan(found.value):
        return NONE
    return f"{found.value:.{digits}f}" if isfinite(found.value) else "∞"
