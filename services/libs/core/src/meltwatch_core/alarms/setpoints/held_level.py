"""The highest threshold at which an alarm rule would raise from each window.

This turns a rule with hysteresis and a delay into one number per window, so that extreme-value
theory of single numbers holds for alarms.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from meltwatch_schemas.alarm_point import Setpoint
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """Everything of a set-point but its height.

    Attributes
    ----------
    on_delay_s, off_delay_s
        As in :class:`~meltwatch_schemas.alarm_point.Setpoint`.
    deadband
        How far ``logit_off`` lies below ``logit_on``.
    """

    on_delay_s: float = 5.5
    off_delay_s: float = 4.0
    deadband: float = 2.0

    def setpoint(self, logit_on: float) -> Setpoint:
        """Return the set-point of this height."""
        return Setpoint(
            logit_on=logit_on,
            logit_off=logit_on - self.deadband,
            on_delay_s=self.on_delay_s,
            off_delay_s=self.off_delay_s,
        )

    def windows_held(self, hop_s: float) -> int:
        """Return how many windows after the first have to hold until the alarm is raised."""
        return ceil(self.on_delay_s / hop_s - 1e-9)


def held_levels(logits: FloatArray, hop_s: float, rule: AlarmRule) -> FloatArray:
    """Return the largest ``logit_on`` that raises an alarm from each window, shape ``(n,)``.

    The alarm is raised ``windows_held`` windows later, if none stands. Windows too near the end
    of the run for that have minus infinity.

    Parameters
    ----------
    logits
        Shape ``(n,)``, of one run, ``hop_s`` apart without a gap.
    """
    levels = np.full(len(logits), -np.inf)
    span = rule.windows_held(hop_s) + 1
    if len(logits) >= span:
        lowest = sliding_window_view(logits, span).min(axis=1)
        levels[: len(lowest)] = np.minimum(logits[: len(lowest)], lowest + rule.deadband)
    return levels
