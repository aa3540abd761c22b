"""Simulated operation: whole runs of furnaces, window by window, as the product would see them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.window import NS_PER_S, WindowSpec
from meltwatch_simulator import SimulatedFurnace
from numpy.typing import NDArray

from meltwatch_trainer.data.furnace_run import Observation, span_s
from meltwatch_trainer.data.windows import FRAME_PERIOD_NS, TimesNs, seconds

BATCH: Final = 8
WARM_UP_S: Final = 10.0
"""Windows are scored from this long before a run's origin, out of healthy back-filled history."""


class WatchedFurnace(Protocol):
    """A furnace that can be asked what it showed: simulated, or played back."""

    @property
    def furnace_id(self) -> str:
        """Its id, which says where its windows stand."""
        ...

    def frames(self, event_times_ns: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return its frames at some times, ``(n, 64, 64, 3)``."""
        ...

    def currents(self, event_times_ns: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return its currents at some times, ``(n, 3)``, amperes."""
        ...


class LogOddsScorer(Protocol):
    """Gives log-odds of windows."""

    def logits(
        self, clips: NDArray[np.uint8], currents: NDArray[np.float32], state: str
    ) -> NDArray[np.float32]:
        """Return the fused logit of each window ``(n,)`` in an availability state."""


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
    furnace: WatchedFurnace, span_ns: tuple[int, int], spec: WindowSpec, every: int = 1
) -> Observation:
    """Watch a furnace through all windows that end within a span, or through each n-th.

    Parameters
    ----------
    span_ns
        First and last instant; windows begin a warm-up before the first.
    """
    ends_ns = window_ends_within(furnace.furnace_id, span_ns, spec, every)
    clip_ns = np.arange(spec.clip_frames - 1, -1, -1) * spec.frame_stride_ns
    seen_ns = (ends_ns[:, None] - clip_ns) // FRAME_PERIOD_NS * FRAME_PERIOD_NS
    frames_ns, frame_of = np.unique(seen_ns, return_inverse=True)
    samples, sample_of = observed_currents(furnace, ends_ns, spec)
    return Observation(
        ends_ns=ends_ns,
        frames=furnace.frames(frames_ns),
        newest_ns=frames_ns[frame_of.reshape(seen_ns.shape)[:, -1]],
        samples=samples,
        frame_of=frame_of.reshape(seen_ns.shape),
        sample_of=sample_of,
    )


def window_ends_within(
    furnace_id: str, span_ns: tuple[int, int], spec: WindowSpec, every: int
) -> TimesNs:
    """Return the ends ``(n,)`` of each n-th window that a run of a furnace is seen through."""
    start_ns, end_ns = span_ns
    first_ns = spec.first_end_after(furnace_id, start_ns - seconds(WARM_UP_S))
    return np.arange(first_ns, end_ns, spec.hop_ns * every, dtype=np.int64)


def observed_currents(
    furnace: WatchedFurnace, ends_ns: TimesNs, spec: WindowSpec
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the samples ``(s, 3)`` that windows see, and which of them each does ``(n, 240)``."""
    back_ns = np.arange(spec.lookback_samples - 1, -1, -1) * spec.sample_period_ns
    point_ns = (ends_ns[:, None] - back_ns) // spec.sample_period_ns * spec.sample_period_ns
    samples_ns, sample_of = np.unique(point_ns, return_inverse=True)
    return furnace.currents(samples_ns), sample_of.reshape(point_ns.shape)


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


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))
