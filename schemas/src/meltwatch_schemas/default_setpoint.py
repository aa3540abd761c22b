"""The set-point where nobody has written one; generated with the models.

``meltwatch-trainer export`` writes this file: change it there.
"""

from typing import Final

from meltwatch_schemas.alarm import Setpoint

DEFAULT_SETPOINT: Final = Setpoint(logit_on=6.16, logit_off=2.16, on_delay_s=5.5, off_delay_s=4.0)

BASIS: Final = (
    "peaks over threshold, false alarms per furnace-day budgeted at 1.5: 6.16 (95 % 5.24 to "
    "6.96), generalised Pareto shape -0.50, scale 3.63 above 0.85, 42 clusters of 17450 normal "
    "windows, extremal index 0.48, 2.0 furnace-days of 60 simulated furnaces; not sound yet: "
    "expected 50 separate peaks to fit, got 42"
)
"""What the threshold rests on, for an alarm point's ``setpoint_basis``."""

MODEL_DIGEST: Final = "8909245e8d00e6a47ed4f26481e825d7bafd2e6475223c5536bb8c2d1861ff78"
"""Digest of the ensemble whose log-odds it belongs to."""
