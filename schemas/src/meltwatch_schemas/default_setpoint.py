"""The set-point where nobody has written one; generated with the models.

``meltwatch-trainer export`` writes this file: change it there.
"""

from typing import Final

from meltwatch_schemas.alarm_point import Setpoint

DEFAULT_SETPOINT: Final = Setpoint(logit_on=2.9, logit_off=0.9, on_delay_s=5.5, off_delay_s=4.0)

BASIS: Final = (
    "peaks over threshold, false alarms per furnace-day budgeted at 0.75: 2.90 (95 % 2.65 to "
    "3.09), generalised Pareto shape -0.31, scale 0.95 above 0.88, 96 clusters of 34939 normal "
    "windows, extremal index 0.55, 4.1 furnace-days of 120 simulated furnaces"
)
"""What the threshold rests on, for an alarm point's ``setpoint_basis``."""

MODEL_DIGEST: Final = "35fe2eddbfa0e2133b72dfba569a2625222b26830eb19126c080a07168a5ff19"
"""Digest of the ensemble whose log-odds it belongs to."""
