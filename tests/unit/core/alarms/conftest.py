"""The tests judge by thresholds of their own: a new calibration must not turn them red."""

from collections.abc import Iterator

import pytest
from meltwatch_schemas import default_points as points

from tests.unit.core.alarms.samples import DIGEST, setpoint


@pytest.fixture(autouse=True, scope="module")
def plain_thresholds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "DEFAULT_SETPOINT", setpoint())
        patch.setattr(points, "MODEL_DIGEST", DIGEST)
        yield
