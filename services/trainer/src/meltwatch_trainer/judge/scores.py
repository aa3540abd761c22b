"""Raw scores of networks on whole runs of furnaces, beside the truth.

All judging reads these arrays alone, so that it can be repeated without a network at hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

ENSEMBLE: Final = "ensemble"
"""Stands for the shipped members together where a model's name is expected."""


def score_key(model: str, state: str) -> str:
    """Return the key of a model's scores in an availability state."""
    return f"{model}/{state}"


@dataclass(frozen=True, slots=True)
class Scores:
    """What a set of runs was scored with: one run per furnace.

    Windows of a run are in order of time; runs are in order of ``furnaces``. Times are
    seconds from the run's origin.

    Attributes
    ----------
    furnaces
        Id of each run's furnace.
    durations_s
        ``(runs,)``, float64: length of each run.
    hop_s
        From one window of a run to the next.
    run
        ``(n,)``, int32: which run a window belongs to, an index of ``furnaces``.
    end_s
        ``(n,)``, float64: window ends. Those up to 0 are of the warm-up, without faults.
    label
        ``(n,)``, int8: 1 anomalous, 0 normal, -1 unclear.
    logits
        ``model/state`` to raw log-odds ``(n,)``, float32, not calibrated.
    pixels
        ``model/state`` to ``(runs, 3)``, int64: true positive, false positive and false negative
        anomalous pixels at probability 0.5, summed over the windows whose label is clear;
        ``ensemble/state`` is of the shipped members' map as it is served.
    fault_run
        ``(f,)``, int32: the run of each fault; faults of a run do not overlap and are in order.
    fault_start_s, fault_end_s
        ``(f,)``, float64.
    fault_misty, fault_veiled, fault_silent
        ``(f,)``, bool: under heavy mist; hidden from the camera; without a trace in the currents.
    """

    furnaces: tuple[str, ...]
    durations_s: NDArray[np.float64]
    hop_s: float
    run: NDArray[np.int32]
    end_s: NDArray[np.float64]
    label: NDArray[np.int8]
    logits: Mapping[str, NDArray[np.float32]]
    pixels: Mapping[str, NDArray[np.int64]]
    fault_run: NDArray[np.int32]
    fault_start_s: NDArray[np.float64]
    fault_end_s: NDArray[np.float64]
    fault_misty: NDArray[np.bool_]
    fault_veiled: NDArray[np.bool_]
    fault_silent: NDArray[np.bool_]

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Return which windows are clearly normal or anomalous, the warm-up left out."""
        return (self.label >= 0) & (self.end_s > 0)

    def runs(self) -> Iterator[slice]:
        """Yield where each run's windows lie."""
        bounds = np.searchsorted(self.run, np.arange(len(self.furnaces) + 1))
        return (slice(*pair) for pair in pairwise(bounds.tolist()))

    def faults(self) -> Iterator[tuple[int, float, float]]:
        """Yield run, start and end of each fault."""
        columns = (self.fault_run, self.fault_start_s, self.fault_end_s)
        return zip(*(column.tolist() for column in columns), strict=True)
