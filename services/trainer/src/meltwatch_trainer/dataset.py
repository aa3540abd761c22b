"""Windows of simulated furnaces, each split from furnaces of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC, WindowSpec
from meltwatch_simulator import Fault, Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import Range

from meltwatch_trainer.adapters.window_cache import WindowArrays, WindowCache
from meltwatch_trainer.domain.windows import (
    FRAME_PERIOD_NS,
    UNCLEAR,
    Split,
    TimesNs,
    frame_times,
    label_of,
    sample_times,
    seconds,
)

ORIGIN_NS: Final = 1_700_000_000 * NS_PER_S
SPAN_S: Final = 6 * 3600.0
"""A furnace is watched for six simulated hours: long enough for every sort of disturbance."""

SLOTS_S: Final = (90.0, 150.0, 300.0)
"""Furnaces differ in how often they fail, so that the look-back holds old faults or none."""

MISTY_SHARE: Final = 0.4
SIMULATOR_REVISION: Final = 1
"""Raise it when the simulator's pictures change: caches of another revision are refused."""

Progress = Callable[[int, int], None]


def cached_windows(
    folder: Path, seed: int, split: Split, progress: Progress, spec: WindowSpec = PUBLISHED_SPEC
) -> WindowArrays:
    """Return a split's windows, making those that the cache does not hold yet.

    Parameters
    ----------
    folder
        Cache folder; the split gets its own folder in it.
    progress
        Is called with furnaces done and furnaces in all.
    """
    made_from = {
        "seed": seed,
        "split": f"{split.name} {split.furnaces}x{split.windows} {split.anomalous}",
        "spec_id": spec.spec_id,
        "simulator": SIMULATOR_REVISION,
    }
    cache = WindowCache(folder / split.name, made_from, split.size)
    for number in range(cache.parts_done, split.furnaces):
        cache.write(number, number * split.windows, furnace_windows(seed, split, number, spec))
        progress(number + 1, split.furnaces)
    return cache.read()


def furnace_windows(seed: int, split: Split, number: int, spec: WindowSpec) -> WindowArrays:
    """Simulate one furnace and cut windows out of its day.

    A part of the windows ends within a fault; the others end anywhere, which makes many of them
    ordinary and some of them hard: just before, just after, in passing mist.
    """
    rng = np.random.default_rng((seed, number, *split.name.encode()))
    furnace_id = split.furnace_id(number)
    schedule = SlotSchedule(
        seed,
        ORIGIN_NS,
        slot_s=SLOTS_S[number % len(SLOTS_S)],
        jitter_s=25.0,
        misty=MISTY_SHARE,
        length_s=Range(25, 60, "s", "from short to stubborn"),
    )
    furnace = Scenario(seed, (furnace_id,), ORIGIN_NS, None, schedule).furnace(furnace_id)
    faults = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + seconds(SPAN_S))
    ends_ns = _window_ends(rng, faults, split)
    return _windows(furnace, faults, ends_ns, rng, spec)


def _window_ends(rng: np.random.Generator, faults: tuple[Fault, ...], split: Split) -> TimesNs:
    within = rng.choice(len(faults), size=round(split.windows * split.anomalous))
    fractions = rng.random(len(within))
    inside = [
        faults[which].start_ns + int(fraction * (faults[which].end_ns - faults[which].start_ns))
        for which, fraction in zip(within, fractions, strict=True)
    ]
    anywhere = rng.integers(0, seconds(SPAN_S), size=split.windows - len(inside)) + ORIGIN_NS
    return np.concatenate([np.array(inside, dtype=np.int64), anywhere])


def _windows(
    furnace: SimulatedFurnace,
    faults: tuple[Fault, ...],
    ends_ns: TimesNs,
    rng: np.random.Generator,
    spec: WindowSpec,
) -> WindowArrays:
    count = len(ends_ns)
    frames_ns = frame_times(spec, ends_ns, rng.integers(0, FRAME_PERIOD_NS, size=count))
    samples_ns = sample_times(spec, ends_ns, rng.integers(0, spec.sample_period_ns, size=count))
    newest_ns = frames_ns[:, -1]
    labels, misty = _truth(furnace, faults, newest_ns)
    return WindowArrays(
        clips=np.stack([furnace.frames(times) for times in frames_ns]),
        currents=np.stack([furnace.currents(times) for times in samples_ns]),
        masks=np.concatenate([furnace.masks(times[None]) for times in newest_ns]),
        labels=labels,
        misty=misty,
    )


def _truth(
    furnace: SimulatedFurnace, faults: tuple[Fault, ...], newest_ns: TimesNs
) -> tuple[np.ndarray, np.ndarray]:
    """Return label and mist of each window, judged at its newest frame."""
    labels = np.full(len(newest_ns), UNCLEAR, dtype=np.int8)
    misty = np.zeros(len(newest_ns), dtype=np.uint8)
    for index, time_ns in enumerate(newest_ns):
        current = [fault for fault in faults if fault.start_ns <= time_ns < fault.end_ns]
        strength = float(furnace.strength(time_ns[None])[0])
        labels[index] = label_of(strength, before_end=bool(current))
        misty[index] = any(fault.heavy_mist for fault in current)
    return labels, misty
