"""Windows of simulated furnaces to learn from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC, WindowSpec
from meltwatch_simulator import (
    SIMULATOR_REVISION,
    Fault,
    Scenario,
    SimulatedFurnace,
    SlotSchedule,
)
from meltwatch_simulator.parameters import SILENT_SHARE, VEILED_SHARE, Range

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.truth import true_labels
from meltwatch_trainer.data.window_cache import WindowArrays, WindowCache
from meltwatch_trainer.data.windows import (
    FRAME_PERIOD_NS,
    Split,
    TimesNs,
    frame_times,
    sample_times,
    seconds,
    window_ends,
)

ORIGIN_NS: Final = 1_700_000_000 * NS_PER_S
SPAN_S: Final = 6 * 3600.0
"""A furnace is watched for six simulated hours: long enough for every sort of disturbance."""

SLOTS_S: Final = (120.0, 300.0, 600.0)
"""Furnaces differ in how often they fail, so that the look-back holds old faults or none."""

SHORTEST_FAULT_S: Final = 25.0
LONGEST_FAULT_S: Final = 180.0
SLOT_REST_S: Final = 40.0
"""Of a slot, what the longest fault leaves: room to start at another time, and to end."""
SLOT_END_S: Final = 15.0
MISTY_SHARE: Final = 0.35

Progress = Callable[[int, int], None]


def training_windows(folder: Path, seed: int, split: Split) -> WindowArrays:
    """Return a set's windows from the cache in ``folder``; ``simulate`` has made them.

    Raises
    ------
    UnfinishedTrainingError
        If some are missing.
    """
    return _cache(folder, seed, split).read()


def simulate(folder: Path, seed: int, split: Split, workers: int, progress: Progress) -> None:
    """Make the windows that the cache does not hold yet.

    Parameters
    ----------
    folder
        Cache folder; the set gets its own folder in it.
    progress
        Is called with furnaces done and furnaces in all.
    """
    missing = _cache(folder, seed, split).missing
    done = split.furnaces - len(missing)
    progress(done, split.furnaces)
    for _ in in_processes(partial(_simulate_furnace, folder, seed, split), missing, workers):
        done += 1
        progress(done, split.furnaces)


def _simulate_furnace(folder: Path, seed: int, split: Split, number: int) -> None:
    windows = furnace_windows(seed, split, number, PUBLISHED_SPEC)
    _cache(folder, seed, split).write(number, windows)


def _cache(folder: Path, seed: int, split: Split) -> WindowCache:
    made_from = {
        "seed": seed,
        "split": f"{split.name} {split.anomalous} {split.near} {split.alike}",
        "spec_id": PUBLISHED_SPEC.spec_id,
        "simulator": SIMULATOR_REVISION,
    }
    return WindowCache(folder / split.name, made_from, split.furnaces, split.windows)


def furnace_windows(seed: int, split: Split, number: int, spec: WindowSpec) -> WindowArrays:
    """Simulate one furnace and cut windows out of its day.

    A part of the windows ends within a fault, a part close to one, a part while something glows
    that resembles one; the others end anywhere.
    """
    rng = np.random.default_rng((seed, number, *split.name.encode()))
    furnace_id = split.furnace_id(number)
    schedule = _schedule(seed, SLOTS_S[number % len(SLOTS_S)])
    furnace = Scenario(seed, (furnace_id,), ORIGIN_NS, None, schedule).furnace(furnace_id)
    faults = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + seconds(SPAN_S))
    spans = np.array([(fault.start_ns, fault.end_ns) for fault in faults], dtype=np.int64)
    day = (ORIGIN_NS, ORIGIN_NS + seconds(SPAN_S))
    ends_ns = window_ends(rng, split, day, spans, _look_alikes(furnace))
    return _windows(furnace, faults, ends_ns, rng, spec)


def _schedule(seed: int, slot_s: float) -> SlotSchedule:
    longest_s = min(slot_s - SLOT_REST_S, LONGEST_FAULT_S)
    return SlotSchedule(
        seed,
        ORIGIN_NS,
        slot_s=slot_s,
        jitter_s=slot_s - longest_s - SLOT_END_S,
        misty=MISTY_SHARE,
        veiled=VEILED_SHARE,
        silent=SILENT_SHARE,
        length_s=Range(SHORTEST_FAULT_S, longest_s, "s", "from short to stubborn"),
    )


def _look_alikes(furnace: SimulatedFurnace) -> TimesNs:
    """Return the whole seconds of the day in which a splash or a reflection glows."""
    times_ns = ORIGIN_NS + np.arange(round(SPAN_S), dtype=np.int64) * NS_PER_S
    causes = furnace.causes(times_ns)
    return times_ns[causes["splash"] | causes["reflection"]]


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
    return WindowArrays(
        clips=np.stack([furnace.frames(times) for times in frames_ns]),
        currents=np.stack([furnace.currents(times) for times in samples_ns]),
        masks=np.concatenate([furnace.masks(times[None]) for times in newest_ns]),
        labels=true_labels(furnace, faults, newest_ns),
    )
