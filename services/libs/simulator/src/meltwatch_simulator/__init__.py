"""Simulated furnaces: a pure function of seed, furnace and event time."""

from meltwatch_simulator.furnace import SimulatedFurnace
from meltwatch_simulator.parameters import SIMULATOR_REVISION
from meltwatch_simulator.scenario import Scenario, furnace_ids
from meltwatch_simulator.schedule import Fault, Schedule, SlotSchedule

__all__ = [
    "SIMULATOR_REVISION",
    "Fault",
    "Scenario",
    "Schedule",
    "SimulatedFurnace",
    "SlotSchedule",
    "furnace_ids",
]
