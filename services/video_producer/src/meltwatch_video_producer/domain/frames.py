"""Which of a camera's frames are ever used: the last one before each instant of the clip's grid."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAME_PERIOD_NS: Final = 40_000_000
"""A camera's own grid: 25 frames a second, counted from the Unix epoch."""


def frame_times_ns(instants: range) -> NDArray[np.int64]:
    """Return the event time of the last frame at or before each instant.

    Parameters
    ----------
    instants
        Instants of the clip's grid, ns UTC, ascending.

    Returns
    -------
    Shape ``(len(instants),)``, int64, ns UTC, strictly increasing.
    """
    return np.array(instants, dtype=np.int64) // FRAME_PERIOD_NS * FRAME_PERIOD_NS
