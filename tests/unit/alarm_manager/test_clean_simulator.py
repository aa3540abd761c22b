"""Simulated furnaces from their first record on: nothing to be said about the system."""

from tests.support.clean_run import alarms


def test_clean_furnaces_of_the_simulator_raise_none_of_the_system_alarms() -> None:
    """Five minutes of two; ``python -m tests.support.clean_run`` does any number for hours."""
    assert [(record.alarm_id, record.message) for record in alarms(2, 300.0)] == []
