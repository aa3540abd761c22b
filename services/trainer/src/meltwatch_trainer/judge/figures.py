"""Figures of a verdict as SVG: the same bytes for the same verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from meltwatch_core.alarms.setpoints.bootstrap import estimate

from meltwatch_trainer.judge.judging import SetVerdict, StateVerdict
from meltwatch_trainer.judge.row_figures import DELAYS_S, FALSE_SHARES, Judged
from meltwatch_trainer.judge.study_rows import FAITHFUL, SERVED_ROWS
from meltwatch_trainer.judge.verdict_tables import STATE_TITLES

STYLE: Final[Any] = {
    "axes.prop_cycle": cycler(
        color=["#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#56b4e9"]
    ),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "meltwatch",
}
KINDS: Final = ("plain", "misty", "veiled", "silent")
DRAWN: Final = (
    *(row.name for row in SERVED_ROWS),
    FAITHFUL,
    "no_levels",
    "video_only",
)
"""Rows that are drawn; a figure of all of them could not be read."""


def draw_figures(folder: Path, found: SetVerdict) -> None:
    """Write ``roc``, ``delay``, ``calibration`` and ``recall-by-kind`` of a set as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for name in DRAWN for row in found.judged if row.name == name]
    with mpl.rc_context(STYLE):
        _save(folder / "roc.svg", _roc(rows))
        _save(folder / "delay.svg", _delay(rows))
        _save(folder / "calibration.svg", _calibration(found.states))
        _save(folder / "recall-by-kind.svg", _recall_by_kind(rows))


def _roc(rows: Sequence[Judged]) -> Figure:
    figure, axes = _plain()
    for row in rows:
        axes.plot(FALSE_SHARES, row.roc, label=row.title)
    axes.set(
        xscale="log",
        xlim=(FALSE_SHARES[0], 1),
        ylim=(0, 1.01),
        xlabel="false positives, share of normal windows",
        ylabel="recall, share of anomalous windows",
    )
    axes.legend(loc="lower right")
    return figure


def _delay(rows: Sequence[Judged]) -> Figure:
    figure, axes = _plain()
    for row in rows:
        axes.plot(DELAYS_S, row.delays, label=row.title, drawstyle="steps-post")
    axes.set(
        xlim=(0, 120),
        ylim=(0, 1.01),
        xlabel="seconds from a fault's start",
        ylabel="share of all faults shown",
    )
    axes.legend(loc="lower right")
    return figure


def _calibration(states: Sequence[StateVerdict]) -> Figure:
    figure = Figure(figsize=(7, 2.7), layout="constrained")
    grid = figure.subplots(1, len(states), sharey=True, squeeze=False)[0]
    for axes, state in zip(grid, states, strict=True):
        claimed, found = state.reliability.claimed[0], state.reliability.found[0]
        bounds = [estimate(column) for column in state.reliability.found.T]
        spread = [[max(0.0, at - b.low) for at, b in zip(found, bounds, strict=True)]]
        spread += [[max(0.0, b.high - at) for at, b in zip(found, bounds, strict=True)]]
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        axes.errorbar(claimed, found, yerr=spread, fmt="o-", markersize=3, linewidth=1)
        axes.set(
            title=f"{STATE_TITLES[state.state]}: error {state.error.value:.3f}",
            xlabel="claimed probability",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
    grid[0].set_ylabel("share anomalous")
    return figure


def _recall_by_kind(rows: Sequence[Judged]) -> Figure:
    figure, axes = _plain()
    width = 0.8 / len(rows)
    for number, row in enumerate(rows):
        places = np.arange(len(KINDS)) + (number - (len(rows) - 1) / 2) * width
        found = [estimate(row.figures[f"recall_{kind}"]) for kind in KINDS]
        height = [one.value for one in found]
        spread = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
        axes.bar(places, height, 0.9 * width, label=row.title)
        axes.errorbar(places, height, yerr=spread, fmt="none", ecolor="0.2", elinewidth=0.8)
    axes.set(ylabel="event recall", ylim=(0, 1.02))
    axes.set_xticks(np.arange(len(KINDS)), KINDS)
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8)
    return figure


def _plain() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    return figure, figure.subplots()


def _save(path: Path, figure: Figure) -> None:
    figure.savefig(path, metadata={"Date": None})
