"""Whole runs of furnaces with the truth about them, to score networks on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Fault, Scenario, SlotSchedule
from meltwatch_simulator.parameters import SILENT_SHARE, VEILED_SHARE, Range
from numpy.typing import NDArray

from meltwatch_trainer.data.operation import Observation, observe
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


@dataclass(frozen=True, slots=True)
class FurnaceRun:
    """What one furnace showed during a run, and the truth.

    Attributes
    ----------
    labels
        ``(n,)``, int8, of each window: 1 anomalous, 0 normal, -1 unclear.
    masks
        ``(n, 64, 8)``, uint8: the newest frames' masks, a bit for each pixel.
    faults
        The faults of the run by start; times count from ``ORIGIN_NS``'s epoch.
    """

    furnace_id: str
    seen: Observation
    labels: NDArray[np.int8]
    masks: NDArray[np.uint8]
    faults: tuple[Fault, ...]


def simulated_run(seed: int, runs: RunSet, every: int, number: int) -> FurnaceRun:
    """Simulate the run of one of a set's furnaces, through each ``every``-th window."""
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
    furnace = scenario.furnace(furnace_id)
    span_ns = ORIGIN_NS, ORIGIN_NS + seconds(runs.duration_s)
    faults = furnace.faults_between(*span_ns)
    seen = observe(furnace, span_ns, PUBLISHED_SPEC, every)
    return FurnaceRun(
        furnace_id=furnace_id,
        seen=seen,
        labels=true_labels(furnace, faults, seen.newest_ns),
        masks=np.packbits(true_masks(furnace, seen.newest_ns), axis=-1),
        faults=faults,
    )
