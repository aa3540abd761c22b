"""A picture of what the simulator draws, for people to judge."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from meltwatch_simulator import Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import Range
from numpy.typing import NDArray
from PIL import Image

NS_PER_S: Final = 1_000_000_000
ORIGIN_NS: Final = 1_780_000_000 * NS_PER_S
SLOT_S: Final = 600.0
FAULT_S: Final = 120.0
HEALTHY: Final = ("flare", "heavy mist", "dense steam", "reflection", "splash")
AGES_S: Final = (10.0, 30.0, 100.0)
AROUND_S: Final = np.arange(-150.0, 270.0, 0.5)


def draw_gallery(path: Path, seed: int, furnaces: int) -> None:
    """Draw one row per furnace: pictures by situation, and phase currents around a fault."""
    titles = ["normal", *HEALTHY, "splash, 8 s on"]
    titles += [f"hot spot, {age:.0f} s" for age in AGES_S]
    titles += [f"{AGES_S[-1]:.0f} s, heavy mist"]
    figure = Figure(figsize=(15, 1.15 * furnaces), layout="constrained", dpi=80)
    grid = figure.add_gridspec(furnaces, len(titles) + 3, wspace=0.02)
    for row in range(furnaces):
        name = f"gallery/furnace-{row + 1}"
        for column, picture in enumerate(_pictures(seed, name)):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(picture)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(titles[column], fontsize=7)
        _plot_currents(figure.add_subplot(grid[row, -3:]), seed, name)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # Few colours, mixed: sensor noise does not compress, and a gallery needs no more.
    image = Image.open(drawn).convert("RGB")
    palette = image.quantize(256, Image.Quantize.MAXCOVERAGE)
    image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def furnace_with_fault(seed: int, name: str, misty: float) -> SimulatedFurnace:
    """Return a furnace with a fault of two minutes, behind mist in a share of such."""
    length_s = Range(FAULT_S, FAULT_S, "s", "slow enough to be seen growing")
    schedule = SlotSchedule(seed, ORIGIN_NS, slot_s=SLOT_S, misty=misty, length_s=length_s)
    return Scenario(seed, (name,), ORIGIN_NS, None, schedule).furnace(name)


def fault_times(furnace: SimulatedFurnace, ages_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return when a furnace's first fault has these ages, ns."""
    end_ns = ORIGIN_NS + int(SLOT_S * NS_PER_S)
    fault = furnace.faults_between(ORIGIN_NS, end_ns)[0]
    times_ns: NDArray[np.int64] = fault.start_ns + (ages_s * NS_PER_S).astype(np.int64)
    return times_ns


def _pictures(seed: int, name: str) -> Iterator[NDArray[np.uint8]]:
    clear, misty = (
        furnace_with_fault(seed, name, misty=0.0),
        furnace_with_fault(seed, name, misty=1.0),
    )
    healthy_ns = ORIGIN_NS - np.arange(86_400, 0, -1, dtype=np.int64) * NS_PER_S
    times_ns = _telling(clear, healthy_ns)
    yield from clear.frames(np.append(times_ns, times_ns[-1] + 8 * NS_PER_S))
    yield from clear.frames(fault_times(clear, np.array(AGES_S)))
    yield from misty.frames(fault_times(misty, np.array(AGES_S[-1:])))


def _telling(furnace: SimulatedFurnace, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an instant at which nothing shows, then one per cause, if possible alone."""
    video = ("lamp", *HEALTHY)
    causes = furnace.causes(times_ns)
    count = np.sum([causes[cause] for cause in video], axis=0)
    chosen = [np.argmax(count == 0)]
    for cause in HEALTHY:
        on = causes[cause]
        lasting = on & np.roll(on, 1) & np.roll(on, 2)
        chosen.append(np.argmax(4 * on + 2 * (on & (count == 1)) + lasting))
    return times_ns[chosen]


def _plot_currents(axes: Axes, seed: int, name: str) -> None:
    furnace = furnace_with_fault(seed, name, misty=0.0)
    axes.plot(AROUND_S, furnace.currents(fault_times(furnace, AROUND_S)) / 1000, linewidth=0.5)
    axes.axvspan(0, FAULT_S, alpha=0.15, color="red")
    axes.tick_params(labelsize=5, pad=1)
    axes.set_ylabel("kA", fontsize=6)
