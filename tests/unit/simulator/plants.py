"""Simulated furnaces for tests."""

from dataclasses import replace
from typing import Any

import numpy as np
from meltwatch_simulator import Fault, Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import NS_PER_S, Range
from numpy.typing import NDArray

ORIGIN_NS = 1_700_000_000 * NS_PER_S
HOUR_NS = 3600 * NS_PER_S


def schedule(length_s: float = 60.0, **changes: Any) -> SlotSchedule:
    """One fault of a given length in each ten minutes; clear, and shown by both modalities."""
    length = Range(length_s, length_s, "s", "as the test needs it")
    return replace(SlotSchedule(5, ORIGIN_NS, slot_s=600.0, misty=0.0, length_s=length), **changes)


def furnace(
    plan: SlotSchedule, name: str = "plant/F-1", beyond: float = 0.0
) -> tuple[SimulatedFurnace, Fault]:
    """A furnace and its first fault."""
    made = Scenario(5, (name,), ORIGIN_NS, None, plan, beyond).furnace(name)
    return made, made.faults_between(ORIGIN_NS, ORIGIN_NS + 600 * NS_PER_S)[0]


def calm(name: str = "plant/F-1") -> SimulatedFurnace:
    """The same furnace, if nothing ever went wrong."""
    return Scenario(5, (name,), ORIGIN_NS, None, schedule(chance=0.0)).furnace(name)


def seconds_from(start_ns: int, *seconds: float) -> NDArray[np.int64]:
    return start_ns + (np.array(seconds) * NS_PER_S).astype(np.int64)
