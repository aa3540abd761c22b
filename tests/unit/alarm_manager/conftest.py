from tests.unit.core.alarms.conftest import plain_thresholds

__all__ = ["plain_thresholds"]
