"""The tests judge by thresholds of their own: a new calibration must not turn them red."""

from collections.abc import Iterator
from typing import Final

import pytest
from meltwatch_schemas import default_points as points
from meltwatch_schemas.alarm_point import Setpoint

SETPOINT: Final = Setpoint(logit_on=3.0, logit_off=1.0, on_delay_s=5.5, off_delay_s=4.0)


@pytest.fixture(autouse=True, scope="module")
def plain_thresholds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "DEFAULT_SETPOINT", SETPOINT)
        patch.setattr(points, "MODEL_DIGEST", None)
        yield
