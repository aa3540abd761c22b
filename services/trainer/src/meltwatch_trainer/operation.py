"""Simulated operation: whole runs of furnaces, window by window, as the product would see them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.window import NS_PER_S, WindowSpec
from meltwatch_simulator import Fault, SimulatedFurnace
from numpy.typing import NDArray

from meltwatch_trainer.domain.windows import FRAME_PERIOD_NS, TimesNs

BATCH: Final = 8
WARM_UP_S: Final = 10.0
"""Windows are scored from this long before a run's origin, out of healthy back-filled history."""


class Scorer(Protocol):
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


def operate(
    ensemble: Scorer,
    furnace: SimulatedFurnace,
    origin_ns: int,
    duration_s: float,
    states: tuple[str, ...],
    spec: WindowSpec,
) -> Run:
    """Score every window of a furnace from just before ``origin_ns`` to the run's end."""
    end_ns = origin_ns + int(duration_s * NS_PER_S)
    ends_ns = _window_ends(furnace.furnace_id, origin_ns, end_ns, spec)
    clips, currents = _observe(furnace, ends_ns, spec)
    logits = np.concatenate(
        [
            np.stack([ensemble.logits(clips[part], currents[part], s) for s in states], axis=1)
            for part in _parts(len(ends_ns))
        ]
    )
    faults = furnace.faults_between(origin_ns, end_ns)
    return Run(
        ends_s=(ends_ns - origin_ns) / NS_PER_S,
        logits=logits,
        faults=tuple(_span_s(fault, origin_ns) for fault in faults),
        misty=tuple(fault.heavy_mist for fault in faults),
    )


def _window_ends(furnace_id: str, origin_ns: int, end_ns: int, spec: WindowSpec) -> TimesNs:
    first_ns = spec.first_end_after(furnace_id, origin_ns - int(WARM_UP_S * NS_PER_S))
    return np.arange(first_ns, end_ns, spec.hop_ns, dtype=np.int64)


def _observe(
    furnace: SimulatedFurnace, ends_ns: TimesNs, spec: WindowSpec
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return clips and currents of windows; each stride instant is drawn once."""
    strides = spec.hop_ns // spec.frame_stride_ns
    oldest_ns = ends_ns[0] - (spec.clip_frames - 1) * spec.frame_stride_ns
    slots_ns = np.arange(oldest_ns, ends_ns[-1] + 1, spec.frame_stride_ns, dtype=np.int64)
    frames = furnace.frames(slots_ns // FRAME_PERIOD_NS * FRAME_PERIOD_NS)
    first = np.arange(len(ends_ns))[:, None] * strides
    clips = frames[first + np.arange(spec.clip_frames)]
    back = np.arange(spec.lookback_samples - 1, -1, -1) * spec.sample_period_ns
    points_ns = (ends_ns[:, None] - back) // spec.sample_period_ns * spec.sample_period_ns
    currents = furnace.currents(points_ns.reshape(-1))
    return clips, currents.reshape(*points_ns.shape, -1)


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))


def _span_s(fault: Fault, origin_ns: int) -> tuple[float, float]:
    return (fault.start_ns - origin_ns) / NS_PER_S, (fault.end_ns - origin_ns) / NS_PER_S
