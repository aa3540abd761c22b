"""The truth about simulated furnaces at the instants of the windows' newest frames."""

from typing import Final

import numpy as np
from meltwatch_simulator import Fault, SimulatedFurnace
from numpy.typing import NDArray

from meltwatch_trainer.data.windows import TimesNs, labels_of

BATCH: Final = 128
"""Masks drawn at a time: enough to be quick, few enough to stay small."""


def true_labels(
    furnace: SimulatedFurnace, faults: tuple[Fault, ...], newest_ns: TimesNs
) -> NDArray[np.int8]:
    """Return the class of each window ``(n,)`` from the times of its newest frame."""
    burning = np.zeros(len(newest_ns), dtype=np.bool_)
    for fault in faults:
        burning |= (fault.start_ns <= newest_ns) & (newest_ns < fault.end_ns)
    return labels_of(furnace.strength(newest_ns), burning)


def true_masks(furnace: SimulatedFurnace, newest_ns: TimesNs) -> NDArray[np.uint8]:
    """Return the masks ``(n, 64, 64)`` of the newest frames, by their times in order."""
    starts = range(0, len(newest_ns), BATCH)
    return np.concatenate([furnace.masks(newest_ns[start : start + BATCH]) for start in starts])
