"""Hours of simulated currents without a picture: what an expert on currents learns from.

Frames are what makes simulation dear: an hour of currents alone takes a tenth of a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from meltwatch_schemas.window import PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_trainer.data.operation import observed_currents, window_ends_within
from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import run_furnace
from meltwatch_trainer.data.truth import true_labels
from meltwatch_trainer.data.windows import FRAME_PERIOD_NS, TRAINING

EXPERT_RUNS: Final = RunSet(TRAINING.name, furnaces=TRAINING.furnaces)
"""The furnaces that the members have learned from, watched for an hour each."""


@dataclass(frozen=True, slots=True)
class CurrentWindows:
    """Windows of currents, many of which share their samples.

    Attributes
    ----------
    samples
        ``(s, 3)``, float32, amperes, furnace after furnace.
    first
        ``(n,)``, int64: where each window's 240 samples begin.
    labels
        ``(n,)``, int8: 1 anomalous, 0 normal, -1 unclear.
    """

    samples: NDArray[np.float32]
    first: NDArray[np.int64]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.first)

    def currents(self, index: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the look-backs of the windows of these numbers, ``(b, 240, 3)``."""
        lookback = np.arange(PUBLISHED_SPEC.lookback_samples)
        return self.samples[self.first[index][:, None] + lookback]


def furnace_currents(seed: int, runs: RunSet, every: int, number: int) -> CurrentWindows:
    """Simulate the currents of one of a set's furnaces: the windows of ``simulated_run``."""
    furnace, span_ns = run_furnace(seed, runs, number)
    ends_ns = window_ends_within(furnace.furnace_id, span_ns, PUBLISHED_SPEC, every)
    samples, sample_of = observed_currents(furnace, ends_ns, PUBLISHED_SPEC)
    faults = furnace.faults_between(*span_ns)
    newest_ns = ends_ns // FRAME_PERIOD_NS * FRAME_PERIOD_NS
    return CurrentWindows(samples, sample_of[:, 0], true_labels(furnace, faults, newest_ns))


def joined_currents(parts: list[CurrentWindows]) -> CurrentWindows:
    """Return the windows of several furnaces as those of one."""
    before = np.cumsum([0, *(len(part.samples) for part in parts[:-1])])
    return CurrentWindows(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.first + start for part, start in zip(parts, before, strict=True)]),
        np.concatenate([part.labels for part in parts]),
    )


def set_currents(
    seed: int, runs: RunSet, every: int, workers: int, progress: Callable[[int, int], None]
) -> CurrentWindows:
    """Simulate the currents of a whole set."""
    parts = []
    progress(0, runs.furnaces)
    work = partial(furnace_currents, seed, runs, every)
    for part in in_processes(work, range(runs.furnaces), workers):
        parts.append(part)
        progress(len(parts), runs.furnaces)
    return joined_currents(parts)
