"""Simulated furnaces through join and manager: what is well says nothing, a wrong clock is told.

Minutes of what ``python -m tests.support.clean_run`` does for hours, with faults of other kinds.
"""

import pytest
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_simulator import furnace_ids

from tests.support.clean_run import (
    FAULT_FROM_S,
    ORIGIN_NS,
    Fault,
    camera_clock_back,
    clean_alarms,
    faulty_alarms,
    meter_clock_back,
)
from tests.support.examples import is_long

SOON_S = 30.0
LASTS_S = 3600.0 if is_long() else 720.0


def second(record: AlarmRecord) -> float:
    return record.times.published.timestamp() - ORIGIN_NS / 1e9


def test_clean_furnaces_of_the_simulator_raise_none_of_the_system_alarms() -> None:
    assert [(record.alarm_id, record.message) for record in clean_alarms(2, 300.0)] == []


@pytest.mark.wide
@pytest.mark.parametrize(
    ("fault", "lasts_s", "lost"),
    [(camera_clock_back, LASTS_S, "VIDEO_LOST"), (meter_clock_back, 120.0, "CURRENT_LOST")],
)
def test_a_clock_that_goes_an_hour_back_is_told_at_once_and_once(
    fault: Fault, lasts_s: float, lost: str
) -> None:
    (furnace_id,) = furnace_ids(1)
    records = faulty_alarms({furnace_id: fault}, lasts_s)
    raised = {each.alarm_id: second(each) for each in records if each.state == "UNACK"}
    cleared = {each.alarm_id: second(each) for each in records if each.state == "RTNUN"}
    clock = f"{furnace_id}/CLOCK_FAULT"
    assert raised.keys() == cleared.keys() == {clock, f"{furnace_id}/{lost}"}
    assert raised[clock] < FAULT_FROM_S + SOON_S
    assert FAULT_FROM_S + lasts_s < min(cleared.values())
    assert len(records) == 4, "each is said once"
