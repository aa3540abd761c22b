"""Simulated operation: whole runs of furnaces, window by window, as the product would see them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.window import NS_PER_S, WindowSpec
from meltwatch_simulator import Fault, SimulatedFurnace
from numpy.typing import NDArray

from meltwatch_trainer.data.windows import FRAME_PERIOD_NS, TimesNs, seconds

BATCH: Final = 8
WARM_UP_S: Final = 10.0
"""Windows are scored from this long before a run's origin, out of healthy back-filled history."""


class LogOddsScorer(Protocol):
    """Gives log-odds of windows."""

    def logits(
        self, clips: NDArray[np.uint8], currents: NDArray[np.float32], state: str
    ) -> NDArray[np.float32]:
        """Return the fused logit of each window ``(n,)`` in an availability state."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one furnace showed during a run: each frame and sample once, though many windows see it.

    Attributes
    ----------
    ends_ns
        ``(n,)``, window ends.
    frames
        ``(f, 64, 64, 3)``, uint8, in order of time.
    frames_ns
        ``(f,)``, when the frames were taken.
    samples
        ``(s, 3)``, float32, amperes, in order of time.
    frame_of, sample_of
        ``(n, 10)`` and ``(n, 240)``: which frames and samples a window consists of, oldest first.
    """

    ends_ns: TimesNs
    frames: NDArray[np.uint8]
    frames_ns: TimesNs
    samples: NDArray[np.float32]
    frame_of: NDArray[np.int64]
    sample_of: NDArray[np.int64]

    @property
    def newest_ns(self) -> TimesNs:
        """When each window's newest frame was taken, ``(n,)``."""
        newest: TimesNs = self.frames_ns[self.frame_of[:, -1]]
        return newest


@dataclass(frozen=True, slots=True)
class Run:
    """What an ensemble said about one furnace during one run.

    Attributes
    ----------
    ends_s
        ``(n,)``, window ends in seconds from the run's origin.
    logits
        ``(n, states)``: calibrated log-odds with both modalities, video alone, current alone.
    faults
        The furnace's faults, seconds from the origin.
    misty
        Which of them were under heavy mist.
    """

    ends_s: NDArray[np.float64]
    logits: NDArray[np.float32]
    faults: tuple[tuple[float, float], ...]
    misty: tuple[bool, ...]


def observe(
    furnace: SimulatedFurnace, span_ns: tuple[int, int], spec: WindowSpec, every: int = 1
) -> Observation:
    """Watch a furnace through all windows that end within a span, or through each n-th.

    Parameters
    ----------
    span_ns
        First and last instant; windows begin a warm-up before the first.
    """
    start_ns, end_ns = span_ns
    first_ns = spec.first_end_after(furnace.furnace_id, start_ns - seconds(WARM_UP_S))
    ends_ns = np.arange(first_ns, end_ns, spec.hop_ns * every, dtype=np.int64)
    clip_ns = np.arange(spec.clip_frames - 1, -1, -1) * spec.frame_stride_ns
    seen_ns = (ends_ns[:, None] - clip_ns) // FRAME_PERIOD_NS * FRAME_PERIOD_NS
    back_ns = np.arange(spec.lookback_samples - 1, -1, -1) * spec.sample_period_ns
    point_ns = (ends_ns[:, None] - back_ns) // spec.sample_period_ns * spec.sample_period_ns
    frames_ns, frame_of = np.unique(seen_ns, return_inverse=True)
    samples_ns, sample_of = np.unique(point_ns, return_inverse=True)
    return Observation(
        ends_ns=ends_ns,
        frames=furnace.frames(frames_ns),
        frames_ns=frames_ns,
        samples=furnace.currents(samples_ns),
        frame_of=frame_of.reshape(seen_ns.shape),
        sample_of=sample_of.reshape(point_ns.shape),
    )


def operate(
    ensemble: LogOddsScorer,
    furnace: SimulatedFurnace,
    origin_ns: int,
    duration_s: float,
    states: tuple[str, ...],
    spec: WindowSpec,
) -> Run:
    """Score every window of a furnace from just before ``origin_ns`` to the run's end."""
    end_ns = origin_ns + seconds(duration_s)
    seen = observe(furnace, (origin_ns, end_ns), spec)
    logits = []
    for part in _parts(len(seen.ends_ns)):
        clips, currents = seen.frames[seen.frame_of[part]], seen.samples[seen.sample_of[part]]
        logits.append(np.stack([ensemble.logits(clips, currents, s) for s in states], axis=1))
    faults = furnace.faults_between(origin_ns, end_ns)
    return Run(
        ends_s=(seen.ends_ns - origin_ns) / NS_PER_S,
        logits=np.concatenate(logits),
        faults=tuple(span_s(fault, origin_ns) for fault in faults),
        misty=tuple(fault.heavy_mist for fault in faults),
    )


def span_s(fault: Fault, origin_ns: int) -> tuple[float, float]:
    """Return a fault's start and end in seconds from an origin."""
    return (fault.start_ns - origin_ns) / NS_PER_S, (fault.end_ns - origin_ns) / NS_PER_S


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))
