"""The figures and the picture of docs/clocks.md, made again.

``python -m tests.support.skew_report figures`` prints the tables (a minute), ``picture`` draws,
``plant HOURS FURNACES`` watches simulated furnaces (90 s for a furnace's day).
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from meltwatch_core.join.synchrony import (
    STEP_S,
    SignalTrace,
    SkewLevel,
    Synchrony,
    cross_correlation,
    estimate_skew,
)
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_simulator import SimulatedFurnace
from meltwatch_simulator.scenario import Scenario, furnace_ids

from tests.support.arcs import FRAME_S, SAMPLE_S, Arcs, Floats, Observer
from tests.support.input_records import PERIOD_NS, STRIDE_NS

PICTURE: Final = Path(__file__).parents[2] / "docs" / "images" / "clock-skew.svg"
SECONDS: Final = 610.0
NOW_NS: Final = round(SECONDS * NS_PER_S)
TRIALS: Final = 200
_QUARTER: Final = 900 * NS_PER_S


def traced(times_s: Floats, values: Floats) -> SignalTrace:
    """Return the trace of a signal."""
    trace = SignalTrace()
    for time_s, value in zip(times_s.tolist(), values.tolist(), strict=True):
        trace.add_value(max(0, round(time_s * NS_PER_S)), value)
    return trace


def print_figures() -> None:
    """Print error and acceptance by noise, frame period and jitter, and what an estimate costs."""
    print("| frames | jitter | SNR | estimates | p95 error |\n|---|---|---|---|---|")
    for period_s in (0.04, FRAME_S):
        for jitter_s in (0.0, 0.25):
            for snr in (3.0, 1.0, 0.5):
                camera = Observer(period_s=period_s, snr=snr, jitter_s=jitter_s)
                errors_s = _errors(camera, replace(camera, period_s=SAMPLE_S))
                p95_ms = 1000 * np.quantile(np.abs(errors_s), 0.95)
                share = errors_s.size / TRIALS
                print(f"| {period_s} s | {jitter_s} s | {snr} | {share:.0%} | {p95_ms:.0f} ms |")
    video, current = _pair(Observer(period_s=FRAME_S), Observer(period_s=SAMPLE_S), 0)
    begin_s = time.process_time()
    for _ in range(200):
        estimate_skew(video, current, NOW_NS)
    print(f"one estimate: {(time.process_time() - begin_s) / 200 * 1000:.2f} ms of CPU")


def _pair(camera: Observer, meter: Observer, seed: int) -> tuple[SignalTrace, SignalTrace]:
    arcs = Arcs(seed, SECONDS)
    return (
        traced(*camera.see(arcs, SECONDS, 2 * seed)),
        traced(*meter.see(arcs, SECONDS, 2 * seed + 1)),
    )


def _errors(camera: Observer, meter: Observer) -> Floats:
    found = []
    for seed, ahead_s in enumerate(np.linspace(-3, 3, TRIALS)):
        video, current = _pair(replace(camera, ahead_s=ahead_s), meter, seed)
        skew_s = estimate_skew(video, current, NOW_NS)
        if skew_s is not None:
            found.append(skew_s - ahead_s)
    return np.array(found)


def watch_plant(hours: float, furnaces: int) -> None:
    """Print how often simulated furnaces, faults and all, give an estimate or an alarm."""
    scenario = Scenario(42, furnace_ids(furnaces), 1_800_000_000 * NS_PER_S, None)
    for furnace_id in scenario.furnace_ids:
        known, alarms = watch_furnace(scenario, furnace_id, hours)
        print(f"{furnace_id}: {hours:g} h, minutes with an estimate {known}, alarms {alarms}")


def watch_furnace(scenario: Scenario, furnace_id: str, hours: float) -> tuple[int, int]:
    """Return in how many minutes a simulated furnace's skew was known, and how many alarms began.

    Parameters
    ----------
    scenario, furnace_id
        Which furnace; from the origin of its run.
    hours
        How long, in quarters of an hour.
    """
    furnace, clocks = scenario.furnace(furnace_id), Synchrony(0.0)
    known: set[int] = set()
    alarms = 0
    for quarter in range(round(4 * hours)):
        for time_ns, modality, value in _quarter(furnace, scenario.origin_ns + quarter * _QUARTER):
            clocks.note(modality, time_ns, value)
            alarms += clocks.update() and clocks.level is SkewLevel.ALARM
            if clocks.skew_s is not None:
                known.add(time_ns // (60 * NS_PER_S))
    return len(known), alarms


def _quarter(furnace: SimulatedFurnace, start_ns: int) -> list[tuple[int, Modality, float]]:
    frames_ns = np.arange(start_ns, start_ns + _QUARTER, STRIDE_NS, dtype=np.int64)
    samples_ns = np.arange(start_ns, start_ns + _QUARTER, PERIOD_NS, dtype=np.int64)
    greys = [
        float(frame.mean())
        for begin in range(0, frames_ns.size, 256)
        for frame in furnace.frames(frames_ns[begin : begin + 256])
    ]
    amperes = np.abs(furnace.currents(samples_ns)).sum(axis=1).tolist()
    frames = [(t, Modality.VIDEO, v) for t, v in zip(frames_ns.tolist(), greys, strict=True)]
    samples = [(t, Modality.CURRENT, v) for t, v in zip(samples_ns.tolist(), amperes, strict=True)]
    return sorted([*frames, *samples])


def draw(path: Path) -> None:
    """Draw what both see of the same arcs, and how alike it is when one of them is shifted."""
    arcs, ahead_s = Arcs(4, SECONDS), 0.8
    camera = Observer(period_s=FRAME_S, snr=3, ahead_s=ahead_s)
    meter = Observer(period_s=SAMPLE_S, snr=3)
    brightness, load = camera.see(arcs, SECONDS, 1), meter.see(arcs, SECONDS, 2)
    others = Observer(period_s=SAMPLE_S, snr=3).see(Arcs(5, SECONDS), SECONDS, 3)
    video = traced(*brightness)
    alike, unlike = (cross_correlation(video, traced(*s), NOW_NS) for s in (load, others))
    found_s = estimate_skew(video, traced(*load), NOW_NS)
    assert alike is not None
    assert unlike is not None
    assert found_s is not None
    lags_s = (np.arange(alike.size) - alike.size // 2) * STEP_S
    peak_x, peak_y = _x_of_lag(found_s), _y_of_likeness(float(alike.max()))
    found = f"found {found_s:.2f} s, set {ahead_s} s"
    lines = [
        _line("video", 60 + 14.5 * (brightness[0] - 300), 92 - 22 * brightness[1]),
        _line("current", 60 + 14.5 * (load[0] - 300), 92 - 22 * load[1]),
        _line("other", _x_of_lag(lags_s), _y_of_likeness(unlike)),
        _line("both", _x_of_lag(lags_s), _y_of_likeness(alike)),
        f'<path class="limit" d="M60 {_y_of_likeness(0.3):.0f}H640"/>',
        f'<circle cx="{peak_x:.1f}" cy="{peak_y:.1f}" r="4"/>',
        f'<text x="{peak_x + 10:.0f}" y="{peak_y + 4:.0f}">{found}</text>',
    ]
    path.write_text(_FRAME.replace("@LINES@", "\n  ".join(lines)))


def _x_of_lag(lag_s: Any) -> Any:
    return 350 + 58 * lag_s


def _y_of_likeness(likeness: Any) -> Any:
    return 345 - 130 * likeness


def _line(kind: str, x: Any, y: Any) -> str:
    points = [
        f"{a:.1f} {b:.1f}" for a, b in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True)
        if 60 <= a <= 640
    ]  # fmt: skip
    return f'<path class="{kind}" d="M{"L".join(points)}"/>'


_FRAME: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 410" font-family="system-ui, 'Segoe UI', \
Roboto, sans-serif" font-size="12" role="img" aria-label="Above: brightness follows the same arcs \
as the current, shifted by 0.8 s. Below: their correlation has one clear peak at that shift; that \
of unrelated signals has none.">
  <style>
    .bg{fill:#fbfaf8}path{fill:none;stroke-width:1.6}.axis{stroke:#bbb}.video{stroke:#b4530a}
    .current{stroke:#2c5d8f}.both{stroke:#1d1d1f;stroke-width:2}.other{stroke:#aaa}
    .limit{stroke:#b4530a;stroke-dasharray:5 4}text{fill:#333}.s{fill:#777}.v{fill:#b4530a}
    .c{fill:#2c5d8f}circle{fill:#1d1d1f}
  </style>
  <rect class="bg" width="700" height="410"/>
  <text x="60" y="24"><tspan class="v">brightness</tspan> and <tspan class="c">current</tspan> by \
the clock of each, 40 s of 10 min</text>
  <path class="axis" d="M60 165H640"/>
  <text x="60" y="200">likeness of their changes when brightness is taken to be late by …</text>
  <path class="axis" d="M60 345H640M350 210V352"/>
  <text class="s" x="60" y="370">-5 s</text><text class="s" x="346" y="370">0</text>
  <text class="s" x="622" y="370">5 s</text>
  <text class="v" x="62" y="300">at least 0.3</text>
  <text class="s" x="60" y="395">Grey: the same brightness beside the currents of another furnace. \
No peak, no estimate.</text>
  @LINES@
</svg>
"""


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["figures"]:
            print_figures()
        case ["picture"]:
            draw(PICTURE)
        case ["plant", hours, furnaces]:
            watch_plant(float(hours), int(furnaces))
        case _:
            sys.exit(f"expected figures, picture or plant HOURS FURNACES, got {sys.argv[1:]}")
