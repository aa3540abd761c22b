"""One scale for all furnaces and both modalities: how rare a value is in normal operation."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.bounds import MAX_SURPRISE
from meltwatch_schemas.portrait import MAX_REACHED
from numpy.typing import NDArray

from meltwatch_core.alarms.setpoints.extremes import Tail, fit_tail

FloatArray = NDArray[np.float64]

TAIL_FROM: Final = 0.85
"""Share of the held-out windows below the tail. The other 72 of 480 tell its shape. With 14 of them
(0.97) leaks and broken electrodes were shown less often (ADR 0042)."""
FEWEST: Final = 100
"""Held-out windows: of fewer no tail can be told."""


class TooFewWindowsError(ValueError):
    """Normal operation holds too little to say what is rare in it."""


@dataclass(frozen=True, slots=True)
class SurpriseScale:
    """How often normal operation reaches a value.

    Attributes
    ----------
    reached
        Held-out values, ascending, up to where the tail begins; of many some.
    tail
        What lies beyond, its rate a share of the windows.
    """

    reached: NDArray[np.floating]
    tail: Tail

    def surprise(self, values: FloatArray) -> FloatArray:
        """Return ``-log10`` of the share of normal windows that reach each value.

        0 is what every window reaches, 3 what one in a thousand does; at most 12.
        """
        below = np.searchsorted(self.reached, values, side="left") / len(self.reached)
        share = 1 - below * (1 - self.tail.rate)
        beyond = values > self.tail.level
        share[beyond] = [self.tail.rate_above(float(value)) for value in values[beyond]]
        return -np.log10(np.clip(share, 10.0**-MAX_SURPRISE, 1.0))


def fit_scale(values: FloatArray) -> SurpriseScale:
    """Fit the scale to values of windows that were held out.

    A tail that would end is taken as one that thins out exponentially: the few hours of a portrait
    cannot say where normal operation ends.

    Raises
    ------
    TooFewWindowsError
        If there are too few windows, or all are alike.
    """
    if len(values) < FEWEST:
        raise TooFewWindowsError(
            f"expected at least {FEWEST} held-out windows of normal operation, got {len(values)}"
        )
    ascending = np.sort(values)
    level = float(np.quantile(ascending, TAIL_FROM))
    excesses = ascending[ascending > level] - level
    if not len(excesses):
        raise TooFewWindowsError(f"expected held-out windows that differ, got {level:g} for all")
    tail = fit_tail(excesses, level, float(len(ascending)))
    if tail.shape < 0:
        tail = Tail(level, 0.0, float(excesses.mean()), tail.rate)
    return SurpriseScale(_some(ascending[ascending <= level]).astype(np.float32), tail)


def _some(ascending: FloatArray) -> FloatArray:
    """Return at most as many values as a message holds, evenly by rank."""
    count = min(len(ascending), MAX_REACHED)
    chosen: FloatArray = ascending[np.linspace(0, len(ascending) - 1, count).round().astype(int)]
    return chosen
