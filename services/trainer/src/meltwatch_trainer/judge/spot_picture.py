"""README's picture: a simulated furnace, the spot as the ensemble outlines it, and its log-odds."""

from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.encoder import default_encoder
from meltwatch_simulator import SimulatedFurnace
from numpy.typing import NDArray
from PIL import Image

from meltwatch_trainer.data.gallery import FAULT_S, NS_PER_S, fault_times, furnace_with_fault
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble

SEEN_S: Final = (-20.0, 15.0, 30.0, 100.0)
AROUND_S: Final = np.arange(-60.0, 180.0, 1.44)
CLIP_NS: Final = np.arange(-9, 1) * 720 * 1_000_000
LOOKBACK_NS: Final = np.arange(-239, 1) * NS_PER_S // 2
OUTLINED_FROM: Final = 0.5


def draw_spot(path: Path, ensemble: ServedEnsemble, seed: int, name: str) -> None:
    """Draw a furnace before and during a fault of two minutes, as PNG.

    Parameters
    ----------
    path
        File to write.
    ensemble
        What judges each window, as served.
    seed, name
        Of the furnace.
    """
    furnace = furnace_with_fault(seed, name, misty=0.0)
    figure = Figure(figsize=(10, 4.2), layout="constrained", dpi=90)
    grid = figure.add_gridspec(2, len(SEEN_S), height_ratios=(2.2, 1))
    figure.suptitle("A simulated furnace, and what the models make of it", fontsize=10)
    for column, since_s in enumerate(SEEN_S):
        _draw_frame(figure.add_subplot(grid[0, column]), ensemble, furnace, since_s)
    _draw_course(figure.add_subplot(grid[1, :]), ensemble, furnace)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _judge(
    ensemble: ServedEnsemble, furnace: SimulatedFurnace, since_s: float
) -> tuple[NDArray[np.uint8], float, NDArray[np.float32]]:
    """Return newest frame, log-odds and map of the window that ends then."""
    end_ns = fault_times(furnace, np.array([since_s]))[0]
    embeddings = default_encoder().encode(furnace.frames(end_ns + CLIP_NS))
    clip = ensemble.decode(embeddings[None])
    currents = furnace.currents(end_ns + LOOKBACK_NS)
    answer = ensemble.score_windows(clip, currents[None], np.ones((1, 2), dtype=np.float32))
    return clip[0, -1], float(answer[0][0, 0]), answer[3][0]


def _draw_frame(
    axes: Axes, ensemble: ServedEnsemble, furnace: SimulatedFurnace, since_s: float
) -> None:
    frame, logit, anomaly_map = _judge(ensemble, furnace, since_s)
    axes.imshow(frame, interpolation="bicubic")
    if anomaly_map.max() >= OUTLINED_FROM:
        axes.contour(anomaly_map, levels=[OUTLINED_FROM], colors="cyan", linewidths=1.5)
    when = "before" if since_s < 0 else f"{since_s:.0f} s after its first warmth"
    axes.set_title(f"{when}\nlog-odds {logit:.1f}", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_course(axes: Axes, ensemble: ServedEnsemble, furnace: SimulatedFurnace) -> None:
    logits = [_judge(ensemble, furnace, since_s)[1] for since_s in AROUND_S]
    axes.plot(AROUND_S, logits, linewidth=1)
    axes.axhline(DEFAULT_SETPOINT.logit_on, color="0.4", linewidth=0.8, linestyle="--")
    held = f" alarm, if held for {DEFAULT_SETPOINT.on_delay_s:g} s"
    axes.text(AROUND_S[0], DEFAULT_SETPOINT.logit_on, held, fontsize=7, va="bottom")
    axes.axvspan(0, FAULT_S, alpha=0.15, color="red", linewidth=0)
    axes.set_xlim(AROUND_S[0], AROUND_S[-1])
    axes.tick_params(labelsize=7)
    axes.set_ylabel("log-odds", fontsize=8)
    axes.set_xlabel("seconds since the spot's first warmth; red: the spot is there", fontsize=8)
