"""The set-point where nobody has written one; generated with the models.

``meltwatch-trainer export`` writes this file: change it there.
"""

from typing import Final

from meltwatch_schemas.alarm import Setpoint

DEFAULT_SETPOINT: Final = Setpoint(logit_on=3.0, logit_off=1.0, on_delay_s=5.5, off_delay_s=4.0)

BASIS: Final = "simulated furnaces: chosen on 60 demonstrations and 5.3 h of operation"
"""What the threshold rests on, for an alarm point's ``setpoint_basis``."""

MODEL_DIGEST: Final = "f31244c397ca9634600758d0140928169ef119dbe8cae342575d84eae7fab9d8"
"""Digest of the ensemble whose log-odds it belongs to."""
