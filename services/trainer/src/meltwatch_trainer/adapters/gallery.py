"""A picture of what the simulator draws, for people to judge."""

from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from meltwatch_simulator import Scenario, SimulatedFurnace, SlotSchedule
from numpy.typing import NDArray
from PIL import Image

NS_PER_S = 1_000_000_000
ORIGIN_NS = 1_780_000_000 * NS_PER_S
COLUMNS = (
    "normal",
    "flare",
    "heavy mist",
    "hot spot, 5 s",
    "hot spot, 30 s",
    "30 s, heavy mist",
)


def draw_gallery(path: Path, seed: int, furnaces: int) -> None:
    """Draw one row per furnace: pictures by situation, and phase currents around a fault."""
    figure = Figure(figsize=(11, 1.3 * furnaces), layout="constrained", dpi=80)
    grid = figure.add_gridspec(furnaces, len(COLUMNS) + 2, wspace=0.02)
    for row in range(furnaces):
        name = f"gallery/furnace-{row + 1}"
        for column, picture in enumerate(_pictures(seed, name)):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(picture)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(COLUMNS[column], fontsize=7)
        _plot_currents(figure.add_subplot(grid[row, -2:]), seed, name)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # Few colours: sensor noise does not compress, and a gallery needs no more.
    image = Image.open(drawn).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _furnace(seed: int, name: str, misty: float) -> SimulatedFurnace:
    schedule = SlotSchedule(seed, ORIGIN_NS, chance=1.0, misty=misty)
    return Scenario(seed, (name,), ORIGIN_NS, None, schedule).furnace(name)


def _fault_times(furnace: SimulatedFurnace, *ages_s: float) -> NDArray[np.int64]:
    fault = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + 300 * NS_PER_S)[0]
    return np.array([fault.start_ns + int(age * NS_PER_S) for age in ages_s], dtype=np.int64)


def _pictures(seed: int, name: str) -> list[NDArray[np.uint8]]:
    clear, misty = _furnace(seed, name, misty=0.0), _furnace(seed, name, misty=1.0)
    healthy_ns = ORIGIN_NS - np.arange(1, 1500, dtype=np.int64) * (NS_PER_S // 3)
    healthy = clear.frames(healthy_ns)
    light = healthy[:, 20:].mean(axis=(1, 2, 3))
    contrast = healthy.std(axis=(1, 2, 3))
    normal = healthy[np.argsort(light)[len(light) // 2]]
    # A flare is bright in a small place; mist is bright everywhere.
    flare = healthy[np.argmax(np.quantile(healthy[:, 25:, :, 0], 0.98, axis=(1, 2)) - 2 * light)]
    mist = healthy[np.argmin(contrast)]
    spots = clear.frames(_fault_times(clear, 5, 30))
    return [normal, flare, mist, *spots, misty.frames(_fault_times(misty, 30))[0]]


def _plot_currents(axes: Axes, seed: int, name: str) -> None:
    furnace = _furnace(seed, name, misty=0.0)
    times_ns = _fault_times(furnace, *np.arange(-60, 60, 0.5))
    fault = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + 300 * NS_PER_S)[0]
    axes.plot(np.arange(-60, 60, 0.5), furnace.currents(times_ns) / 1000, linewidth=0.6)
    axes.axvspan(0, (fault.end_ns - fault.start_ns) / NS_PER_S, alpha=0.15, color="red")
    axes.tick_params(labelsize=5, pad=1)
    axes.set_ylabel("kA", fontsize=6)
