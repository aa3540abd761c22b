"""Whole runs of furnaces with the truth about them, to learn from and to score networks on."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_trainer.data.windows import TimesNs


class KnownFault(Protocol):
    """A fault that is known to have been, ``[start_ns, end_ns)`` of event time.

    A simulated one says in what way it was hard to see; a labelled one was none of that.
    """

    @property
    def start_ns(self) -> int:
        """When it began."""
        ...

    @property
    def end_ns(self) -> int:
        """When it was over."""
        ...

    @property
    def heavy_mist(self) -> bool:
        """Whether it was under heavy mist."""
        ...

    @property
    def veiled(self) -> bool:
        """Whether it was hidden from the camera."""
        ...

    @property
    def silent(self) -> bool:
        """Whether it left no trace in the currents."""
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """What one furnace showed during a run: each frame and sample once, though many windows see it.

    Attributes
    ----------
    ends_ns
        ``(n,)``, window ends.
    frames
        ``(f, 64, 64, 3)``, uint8, in order of time.
    newest_ns
        ``(n,)``, when each window's newest frame was taken.
    samples
        ``(s, 3)``, float32, amperes.
    frame_of, sample_of
        ``(n, 10)`` and ``(n, 240)``: which frames and samples a window consists of, oldest first.
    """

    ends_ns: TimesNs
    frames: NDArray[np.uint8]
    newest_ns: TimesNs
    samples: NDArray[np.float32]
    frame_of: NDArray[np.int64]
    sample_of: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FurnaceRun:
    """What one furnace showed during a run, and the truth.

    Attributes
    ----------
    origin_ns, duration_s
        When it begins, and how long it is; windows up to the origin are a warm-up.
    labels
        ``(n,)``, int8, of each window: 1 anomalous, 0 normal, -1 unclear.
    masks
        ``(n, 64, 8)``, uint8: the newest frames' masks, a bit for each pixel. None if nobody drew
        them.
    faults
        The faults of the run by start.
    """

    furnace_id: str
    origin_ns: int
    duration_s: float
    seen: Observation
    labels: NDArray[np.int8]
    masks: NDArray[np.uint8] | None
    faults: tuple[KnownFault, ...]

    @property
    def drawn_masks(self) -> NDArray[np.uint8]:
        """The masks; empty ones if nobody drew them."""
        return np.zeros((len(self.labels), 64, 8), np.uint8) if self.masks is None else self.masks


def span_s(fault: KnownFault, origin_ns: int) -> tuple[float, float]:
    """Return a fault's start and end in seconds from an origin."""
    return (fault.start_ns - origin_ns) / NS_PER_S, (fault.end_ns - origin_ns) / NS_PER_S
