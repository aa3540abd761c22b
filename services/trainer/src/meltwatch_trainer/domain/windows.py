"""Which windows a model learns from, and what their labels are."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, WindowSpec
from numpy.typing import NDArray

TimesNs = NDArray[np.int64]
Label = Literal[-1, 0, 1]

NORMAL: Final = 0
ANOMALOUS: Final = 1
UNCLEAR: Final = -1

FRAME_PERIOD_NS: Final = 40 * NS_PER_MS
"""A camera's 25 frames a second: a slot's frame is up to this much older than its slot."""

DETECTABLE: Final = 0.5
"""Development of a fault (0..1) from which a window counts as anomalous.

A spot reaches it 2.5 s after its first warmth. Below it, and while a spot cools, nobody could say:
such windows teach no class, or the model would learn to see what is not there yet.
"""


@dataclass(frozen=True, slots=True)
class Split:
    """A set of furnaces that no other split contains.

    Parameters
    ----------
    name
        Part of the furnaces' ids; also the name of the cache's folder.
    furnaces, windows
        Number of furnaces, and of windows from each.
    anomalous
        Share of windows that end within a fault on purpose; by chance, others do too.
    """

    name: str
    furnaces: int
    windows: int
    anomalous: float = 0.25

    @property
    def size(self) -> int:
        """Number of windows."""
        return self.furnaces * self.windows

    def furnace_id(self, number: int) -> str:
        """Return the id of one of the split's furnaces."""
        return f"{self.name}/furnace-{number:04d}"


TRAINING: Final = Split("training", furnaces=320, windows=50)
VALIDATION: Final = Split("validation", furnaces=40, windows=50)
CALIBRATION: Final = Split("calibration", furnaces=80, windows=20)


def frame_times(spec: WindowSpec, ends_ns: TimesNs, lag_ns: TimesNs) -> TimesNs:
    """Return the event times of the frames of windows, oldest first.

    Parameters
    ----------
    ends_ns
        Shape ``(n,)``, window ends.
    lag_ns
        Shape ``(n,)``: how much older a frame is than its slot.

    Returns
    -------
    Shape ``(n, clip_frames)``.
    """
    back = np.arange(spec.clip_frames - 1, -1, -1, dtype=np.int64) * spec.frame_stride_ns
    return ends_ns[:, None] - back - lag_ns[:, None]


def sample_times(spec: WindowSpec, ends_ns: TimesNs, lag_ns: TimesNs) -> TimesNs:
    """Return the event times of the current samples of windows ``(n, lookback)``, oldest first."""
    back = np.arange(spec.lookback_samples - 1, -1, -1, dtype=np.int64) * spec.sample_period_ns
    return ends_ns[:, None] - back - lag_ns[:, None]


def label_of(strength: float, *, before_end: bool) -> Label:
    """Return the class of a window from the fault's development at its newest frame.

    Parameters
    ----------
    strength
        0 (no fault) to 1 (fully developed).
    before_end
        Whether the fault still burns, as opposed to cools.
    """
    if strength == 0.0:
        return NORMAL
    return ANOMALOUS if before_end and strength >= DETECTABLE else UNCLEAR


def seconds(value: float) -> int:
    """Return seconds as whole nanoseconds."""
    return round(value * NS_PER_S)
