"""Only what stays unusual counts: a level rises slowly and falls at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PATCH_RISE_PER_S: Final = 0.04
"""How fast a followed level may rise, of a logarithm: what lasts for seconds stays low."""
CURRENT_RISE_PER_S: Final = 0.2
"""The currents' numbers look back over 40 s themselves. At 0.04 a broken electrode was shown less
often and at three times the false alarms (``meltwatch-trainer unseen --set unseen-choice``)."""
HIGHEST: Final = 4
"""Places whose mean is the raw novelty: a thing that matters covers several patches."""


def follow(
    levels: FloatArray, times_s: FloatArray, before: FloatArray, since_s: float, rise_per_s: float
) -> FloatArray:
    """Follow levels through time: ``s = min(level, s before + rise * seconds)``.

    Window by window and in 16 bits, as they stand in scores, so that who takes over in the middle
    goes on to the same bits.

    Parameters
    ----------
    levels
        Shape ``(n, places)``, in order of time.
    times_s
        Shape ``(n,)``, ascending.
    before
        Shape ``(places,)``: what was followed up to the instant ``since_s``.
    rise_per_s
        How fast it may rise.

    Returns
    -------
    Shape ``(n, places)``.
    """
    followed = np.empty_like(levels)
    for number, (level, at_s) in enumerate(zip(levels, times_s, strict=True)):
        risen = np.minimum(level, before + rise_per_s * (at_s - since_s))
        before = risen.astype(np.float16).astype(np.float64)
        followed[number], since_s = before, at_s
    return followed


def raw_novelty(followed: FloatArray) -> FloatArray:
    """Return the mean of the highest places of each window, ``(n,)``, of ``(n, places)``."""
    count = min(HIGHEST, followed.shape[1])
    highest: FloatArray = np.partition(followed, -count, axis=1)[:, -count:].mean(axis=1)
    return highest
