"""Cases as one picture: what the camera saw, what the ensemble marked, the currents, the logit."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

LOOKBACK_S: Final = 120.0
ASIDE_S: Final = 180.0
"""How much of the logit's course is drawn on either side of a case."""


@dataclass(frozen=True, slots=True)
class CasePicture:
    """Everything that is drawn of a case.

    Attributes
    ----------
    frame, mask, anomaly_map
        ``(64, 64, 3)`` uint8, ``(64, 64)`` of 0 and 1, and ``(64, 64)`` in 0..1.
    currents
        ``(240, 3)``, amperes, up to the window's end.
    since_s, logits
        ``(n,)``: seconds from the window's end, and the logit then.
    faults_s
        Start and end of the run's faults, seconds from the window's end.
    """

    title: str
    frame: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    anomaly_map: NDArray[np.float32]
    currents: NDArray[np.float32]
    since_s: NDArray[np.float64]
    logits: NDArray[np.float64]
    faults_s: Sequence[tuple[float, float]]


def draw_cases(path: Path, cases: Sequence[CasePicture], logit_on: float) -> None:
    """Write one row per case as PNG."""
    figure = Figure(figsize=(10, 1.5 * len(cases)), layout="constrained", dpi=80)
    grid = figure.add_gridspec(len(cases), 4, width_ratios=(1, 1, 2.6, 3.4))
    for row, case in enumerate(cases):
        frame, marked, currents, course = (figure.add_subplot(grid[row, at]) for at in range(4))
        _draw_pictures(frame, marked, case)
        _draw_currents(currents, case)
        _draw_course(course, case, logit_on)
        if row == 0:
            titles = ("newest frame, truth", "anomaly map", "currents (kA)", "logit")
            for axes, title in zip((frame, marked, currents, course), titles, strict=True):
                axes.set_title(title, fontsize=8)
        for axes in (currents, course):
            axes.tick_params(labelsize=6, pad=1, labelbottom=row == len(cases) - 1)
        if row == len(cases) - 1:
            for axes in (currents, course):
                axes.set_xlabel("seconds from the window's end", fontsize=7)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # Few colours: sensor noise does not compress, and these pictures need no more.
    image = Image.open(drawn).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _draw_pictures(frame: Axes, marked: Axes, case: CasePicture) -> None:
    frame.imshow(case.frame)
    if case.mask.any():
        frame.contour(case.mask, levels=[0.5], colors="white", linewidths=1)
    marked.imshow(case.anomaly_map, vmin=0, vmax=1, cmap="magma")
    frame.set_ylabel(
        case.title.replace(", ", "\n"), fontsize=7, rotation=0, ha="right", va="center"
    )
    for axes in (frame, marked):
        axes.set_xticks([])
        axes.set_yticks([])


def _draw_currents(axes: Axes, case: CasePicture) -> None:
    since_s = np.linspace(-LOOKBACK_S, 0, len(case.currents) + 1)[1:]
    axes.plot(since_s, case.currents / 1000, linewidth=0.6)
    axes.set_xlim(-LOOKBACK_S, 0)


def _draw_course(axes: Axes, case: CasePicture, logit_on: float) -> None:
    near = np.abs(case.since_s) <= ASIDE_S
    axes.plot(case.since_s[near], case.logits[near], linewidth=0.8)
    axes.axhline(logit_on, color="0.4", linewidth=0.6, linestyle="--")
    axes.axvline(0, color="0.4", linewidth=0.6)
    for start_s, end_s in case.faults_s:
        axes.axvspan(start_s, end_s, alpha=0.15, color="red", linewidth=0)
    axes.set_xlim(-ASIDE_S, ASIDE_S)
