"""A broker's topics and a manager process, as the alarm manager's tests have them."""

from tests.integration.alarm_manager.conftest import (
    broker,
    make_manager,
    plain_thresholds,
    view,
)

__all__ = ["broker", "make_manager", "plain_thresholds", "view"]
