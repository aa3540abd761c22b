"""Whole runs of simulated furnaces, to score networks on."""

from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import SILENT_SHARE, VEILED_SHARE, Range

from meltwatch_trainer.data.furnace_run import FurnaceRun
from meltwatch_trainer.data.operation import observe
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.truth import true_labels, true_masks
from meltwatch_trainer.data.windows import seconds

ORIGIN_NS: Final = 1_750_000_000 * NS_PER_S
SLOT_S: Final = 600.0
CHANCE: Final = 0.8
"""Of a fault per slot: some furnaces have a quiet while of twenty minutes or more."""
MISTY_SHARE: Final = 0.3
FAULT_LENGTH: Final = Range(30, 180, "s", "from one that is soon noticed to a stubborn one")
JITTER_S: Final = 390.0
"""A fault ends at least half a minute before its slot does: no run is cut within one."""


def simulated_run(seed: int, runs: RunSet, every: int, number: int) -> FurnaceRun:
    """Simulate the run of one of a set's furnaces, through each ``every``-th window."""
    furnace, span_ns = run_furnace(seed, runs, number)
    faults = furnace.faults_between(*span_ns)
    seen = observe(furnace, span_ns, PUBLISHED_SPEC, every)
    return FurnaceRun(
        furnace_id=furnace.furnace_id,
        origin_ns=ORIGIN_NS,
        duration_s=runs.duration_s,
        seen=seen,
        labels=true_labels(furnace, faults, seen.newest_ns),
        masks=np.packbits(true_masks(furnace, seen.newest_ns), axis=-1),
        faults=faults,
    )


def run_furnace(seed: int, runs: RunSet, number: int) -> tuple[SimulatedFurnace, tuple[int, int]]:
    """Return one of a set's furnaces, and from when to when it is watched."""
    furnace_id = runs.furnace_id(number)
    schedule = SlotSchedule(
        seed,
        ORIGIN_NS,
        slot_s=SLOT_S,
        jitter_s=JITTER_S,
        chance=CHANCE,
        misty=MISTY_SHARE,
        veiled=VEILED_SHARE,
        silent=SILENT_SHARE,
        length_s=FAULT_LENGTH,
    )
    scenario = Scenario(seed, (furnace_id,), ORIGIN_NS, None, schedule, runs.beyond)
    return scenario.furnace(furnace_id), (ORIGIN_NS, ORIGIN_NS + seconds(runs.duration_s))
