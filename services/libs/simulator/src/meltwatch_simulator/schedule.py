"""When which furnace has which fault.

A run opens with three faults on its first two furnaces, one of them under heavy mist, so that a
visitor sees something within seconds. After that every furnace has a fault about every five
minutes, for ever: one per slot of time, so that the fault of any instant is found without history.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Protocol

from meltwatch_simulator.parameters import NS_PER_S, Range
from meltwatch_simulator.randomness import key_of

KIND: Final = "semi_molten"

OPENING_S: Final = 150.0
QUIET_START_S: Final = 20.0
QUIET_END_S: Final = 20.0
SHORTEST_FAULT_S: Final = 18.0
MISTY_SHARE: Final = 0.3

FAULT_LENGTH: Final = Range(30, 45, "s", "long enough to act upon, short enough to watch")
_FRACTION: Final = Range(0.0, 1.0, "1", "any")


@dataclass(frozen=True, slots=True)
class Fault:
    """A semi-molten spot: event times ``[start_ns, end_ns)``, first warmth to power cut.

    Attributes
    ----------
    heavy_mist
        Whether the camera sees it only through thin places of mist.
    veiled
        Whether dense steam hides it from the camera for all of its life.
    silent
        Whether the currents do not show it.
    """

    furnace_id: str
    start_ns: int
    end_ns: int
    kind: str
    heavy_mist: bool
    veiled: bool = False
    silent: bool = False

    def __post_init__(self) -> None:
        if self.veiled and self.silent:
            raise ValueError(
                "fault: expected veiled or silent or neither, got both: nobody sees it"
            )

    @property
    def length_s(self) -> float:
        """Seconds from first warmth to power cut."""
        return (self.end_ns - self.start_ns) / NS_PER_S

    def moved(self, by_ns: int) -> "Fault":
        """Return the same fault at another time."""
        return replace(self, start_ns=self.start_ns + by_ns, end_ns=self.end_ns + by_ns)


class Schedule(Protocol):
    """Tells the faults of a furnace."""

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the faults that overlap ``[start_ns, end_ns)``, by start."""


@dataclass(frozen=True, slots=True)
class SlotSchedule:
    """At most one fault per furnace and slot of time, from ``origin_ns`` on, without end.

    Parameters
    ----------
    slot_s
        Length of a slot, seconds.
    chance
        Probability that a slot has a fault.
    misty
        Share of faults under heavy mist.
    length_s
        Length of a fault, seconds; a fault always ends within its slot.
    veiled, silent
        Shares of faults that the camera, or the currents, do not show; together at most 1.
    """

    seed: int
    origin_ns: int
    slot_s: float = 300.0
    jitter_s: float = 60.0
    chance: float = 1.0
    misty: float = MISTY_SHARE
    length_s: Range = FAULT_LENGTH
    veiled: float = 0.0
    silent: float = 0.0

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the faults that overlap ``[start_ns, end_ns)``, by start."""
        slot_ns = int(self.slot_s * NS_PER_S)
        first = max(0, (start_ns - self.origin_ns) // slot_ns)
        last = (end_ns - self.origin_ns) // slot_ns
        found = (self._fault(furnace_id, slot) for slot in range(first, last + 1))
        return tuple(f for f in found if f and f.start_ns < end_ns and f.end_ns > start_ns)

    def _fault(self, furnace_id: str, slot: int) -> Fault | None:
        key = key_of(self.seed, furnace_id, "slot", self.slot_s, slot)
        if _FRACTION.draw(key_of(key, "chance")) >= self.chance:
            return None
        start_s = slot * self.slot_s + self.jitter_s * _FRACTION.draw(key_of(key, "start"))
        length_s = self.length_s.draw(key_of(key, "length"))
        hidden = _FRACTION.draw(key_of(key, "hidden"))
        veiled = hidden < self.veiled
        fault = _fault(
            furnace_id,
            self.origin_ns,
            (start_s, start_s + length_s),
            heavy_mist=not veiled and _FRACTION.draw(key_of(key, "mist")) < self.misty,
        )
        return replace(
            fault, veiled=veiled, silent=not veiled and hidden < self.veiled + self.silent
        )


@dataclass(frozen=True, slots=True)
class DemoSchedule:
    """The opening of a run, then slots, cut so that every fault can be seen to end."""

    seed: int
    furnace_ids: tuple[str, ...]
    origin_ns: int
    duration_s: float | None

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the faults that overlap ``[start_ns, end_ns)``, by start."""
        opening = (f for f in self._opening() if f.furnace_id == furnace_id)
        slots = self._slots(furnace_id).between(furnace_id, start_ns, end_ns)
        faults = (*opening, *slots)
        return tuple(
            f for f in faults if f.start_ns < end_ns and f.end_ns > start_ns and self._fits(f)
        )

    def _fits(self, fault: Fault) -> bool:
        return fault.end_ns - self.origin_ns <= self._latest_s() * NS_PER_S

    def _slots(self, furnace_id: str) -> SlotSchedule:
        """Return the furnace's slots: behind the opening, furnaces out of step."""
        fraction = _FRACTION.draw(key_of(self.seed, furnace_id, "out of step"))
        first_s = OPENING_S + 150.0 * fraction
        return SlotSchedule(self.seed, self.origin_ns + int(first_s * NS_PER_S))

    def _opening(self) -> Iterator[Fault]:
        key = key_of(self.seed, "opening")
        planned = [plan for plan in _OPENING if plan.furnace < len(self.furnace_ids)]
        misty = int(len(planned) * _FRACTION.draw(key_of(key, "mist")))
        for number, plan in enumerate(planned):
            start_s = plan.start_s.draw(key_of(key, number, "start"))
            end_s = start_s + plan.length_s.draw(key_of(key, number, "length"))
            heavy_mist = number == misty
            if number == 0 and self._squeezes(end_s):
                # Too short for a spot that mist hides half of the time.
                start_s, end_s, heavy_mist = QUIET_START_S, self._latest_s(), False
            name = self.furnace_ids[plan.furnace]
            yield _fault(name, self.origin_ns, (start_s, end_s), heavy_mist=heavy_mist)

    def _latest_s(self) -> float:
        return inf if self.duration_s is None else self.duration_s - QUIET_END_S

    def _squeezes(self, end_s: float) -> bool:
        """Tell whether a short run still has room for a first fault, if it is cut to size."""
        return QUIET_START_S + SHORTEST_FAULT_S <= self._latest_s() < end_s


@dataclass(frozen=True, slots=True)
class _Planned:
    furnace: int
    start_s: Range
    length_s: Range


_OPENING: Final = (
    _Planned(0, Range(20, 25, "s", "the visitor has read the screen"), Range(30, 35, "s", "short")),
    _Planned(1, Range(42, 55, "s", "overlaps the first or follows it"), Range(33, 42, "s", "long")),
    _Planned(0, Range(88, 92, "s", "the first alarm has cleared"), Range(31, 37, "s", "short")),
)


def _fault(
    furnace_id: str, origin_ns: int, span_s: tuple[float, float], *, heavy_mist: bool
) -> Fault:
    start_ns, end_ns = (origin_ns + round(second * NS_PER_S) for second in span_s)
    return Fault(furnace_id, start_ns, end_ns, KIND, heavy_mist)
