"""Which alarm belongs to which fault: one to one, by time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from meltwatch_simulator.schedule import Fault

TOLERANCE_NS: Final = 15_000_000_000
"""How long after its end a fault may raise an alarm, ns: delays, and slow cooling."""


@dataclass(frozen=True, slots=True)
class Raise:
    """An alarm that was raised; ``raise_ns`` is event time."""

    furnace_id: str
    alarm_id: str
    raise_ns: int


def tells_of(raised: Raise, fault: Fault) -> bool:
    """Tell whether a raise lies within ``[start, end + 15 s]`` of a fault of its furnace."""
    return (
        raised.furnace_id == fault.furnace_id
        and fault.start_ns <= raised.raise_ns <= fault.end_ns + TOLERANCE_NS
    )


def match(faults: Iterable[Fault], raises: Iterable[Raise]) -> dict[Fault, Raise]:
    """Pair as many faults as possible with a raise each.

    Raises are taken in order of time, each by that open fault which can wait the least; for
    intervals this greedy choice is optimal.
    """
    open_faults = sorted(faults, key=lambda fault: fault.end_ns)
    found: dict[Fault, Raise] = {}
    for raised in sorted(raises, key=lambda raised: raised.raise_ns):
        fault = next((fault for fault in open_faults if tells_of(raised, fault)), None)
        if fault is not None:
            open_faults.remove(fault)
            found[fault] = raised
    return found


def false_alarms(
    faults: Sequence[Fault], raises: Iterable[Raise], simulated: Iterable[str]
) -> list[Raise]:
    """Return the raises of simulated furnaces that belong to no fault, by time.

    A second raise within one fault is no false alarm; of furnaces that are not simulated the true
    faults are not known.
    """
    ours = set(simulated)
    unexplained = (
        raised
        for raised in raises
        if raised.furnace_id in ours and not any(tells_of(raised, fault) for fault in faults)
    )
    return sorted(unexplained, key=lambda raised: raised.raise_ns)
