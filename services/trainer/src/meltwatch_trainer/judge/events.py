"""Alarms against faults, one to one by the time at which they are raised (never by overlap).

An alarm that happens to stand when a fault begins is no sign of that fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

FloatArray = NDArray[np.float64]

LATE_S: Final = 6.0
"""An alarm raised this long after a fault's end is the fault's: the on-delay had begun in it."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The faults and alarms of one run, matched.

    Attributes
    ----------
    raised_s
        ``(f,)``: when the alarm that shows each fault was raised, infinity where none was.
    false_s
        When alarms were raised that no fault explains.
    repeats
        Number of further alarms of faults already shown: load on people, neither hit nor false.
    """

    raised_s: FloatArray
    false_s: tuple[float, ...]
    repeats: int


def match(
    raised_s: Sequence[float], starts_s: FloatArray, ends_s: FloatArray, late_s: float = LATE_S
) -> Matching:
    """Give each alarm to the first unshown fault with ``start <= raised <= end + late``.

    Parameters
    ----------
    raised_s
        When alarms were raised, in order.
    starts_s, ends_s
        Shape ``(f,)``, of the faults, in order.
    """
    shown_s = np.full(len(starts_s), np.inf)
    false_s = []
    repeats = 0
    for time_s in raised_s:
        within = (starts_s <= time_s) & (time_s <= ends_s + late_s)
        unshown = np.flatnonzero(within & np.isinf(shown_s))
        if unshown.size:
            shown_s[unshown[0]] = time_s
        elif within.any():
            repeats += 1
        else:
            false_s.append(time_s)
    return Matching(shown_s, tuple(false_s), repeats)


def normal_s(
    duration_s: float, starts_s: FloatArray, ends_s: FloatArray, late_s: float = LATE_S
) -> float:
    """Return the seconds of a run in which an alarm would be false.

    Faults are in order; two may be closer than ``late_s``.
    """
    busy_s, covered_s = 0.0, 0.0
    for start_s, end_s in zip(starts_s, ends_s + late_s, strict=True):
        begin_s, finish_s = max(covered_s, start_s), min(duration_s, end_s)
        busy_s += max(0.0, finish_s - begin_s)
        covered_s = max(covered_s, finish_s)
    return duration_s - busy_s


def rate_bounds(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a Poisson rate of which ``count`` were seen (Garwood 1936)."""
    tail = (1 - level) / 2
    low = gammaincinv(count, tail) if count else 0.0
    return float(low) / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure
