"""A simulated plant: its furnaces and what will happen to them."""

from dataclasses import dataclass
from functools import cached_property

from meltwatch_simulator.furnace import SimulatedFurnace
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.schedule import DemoSchedule, Fault, Schedule

FURNACES_PER_SHOP = 4
_FIRST_DEMO_NS = 1_800_000_000 * NS_PER_S
_DEMO_STEP_S = 7_777
_DEMO_HOURS = 900_000  # as many seconds as 63 bits of nanoseconds hold


def furnace_ids(count: int) -> tuple[str, ...]:
    """Return default names, ``demo/smelting-1/FMF-01`` and on, four furnaces to a shop."""
    return tuple(
        f"demo/smelting-{1 + number // FURNACES_PER_SHOP}/FMF-{1 + number:02d}"
        for number in range(count)
    )


def demo_origin_ns(seed: int) -> int:
    """Return when the demo of a seed begins on its furnaces' own clock, ns.

    Disturbances depend on the hour, so each seed has another one, and equal seeds give equal
    runs whenever they are started.
    """
    return _FIRST_DEMO_NS + seed % _DEMO_HOURS * _DEMO_STEP_S * NS_PER_S


@dataclass(frozen=True)
class Scenario:
    """Everything that a run of simulated furnaces depends on.

    Two processes that hold equal scenarios agree on every frame, sample and fault without talking.
    The demo of a seed is the same whenever it is started: it knows the time since its origin.

    Parameters
    ----------
    seed
        Any whole number.
    furnace_ids
        Furnaces in order; the first two have the opening's faults.
    origin_ns
        Event time at which the run begins, ns UTC; nothing is wrong before it.
    duration_s
        Length of the run: a fault is left out if it would not end 20 s before. ``None``: endless.
    schedule
        Another schedule than the demo's, for training.
    beyond
        0: furnaces as usual. Otherwise each trait lies outside its usual range by up to this many
        widths of it, on either side: furnaces that a model cannot have learned.
    """

    seed: int
    furnace_ids: tuple[str, ...]
    origin_ns: int
    duration_s: float | None
    schedule: Schedule | None = None
    beyond: float = 0.0

    def furnace(self, furnace_id: str) -> SimulatedFurnace:
        """Return one furnace.

        Raises
        ------
        KeyError
            If the scenario has no such furnace.
        """
        if furnace_id not in self.furnace_ids:
            raise KeyError(f"expected one of {', '.join(self.furnace_ids)}, got {furnace_id!r}")
        return SimulatedFurnace(
            self.seed, furnace_id, self._schedule, self._ahead_ns, beyond=self.beyond
        )

    def faults(self, until_ns: int | None = None) -> tuple[Fault, ...]:
        """Return all faults of the run by start; of an endless run, those that start in time.

        Parameters
        ----------
        until_ns
            End of the span that is asked for; needed for an endless run.

        Raises
        ------
        ValueError
            If the run is endless and ``until_ns`` is missing.
        """
        end_ns = self._end_ns if until_ns is None else until_ns
        ahead_ns = self._ahead_ns
        faults = (
            fault.moved(ahead_ns)
            for furnace_id in self.furnace_ids
            for fault in self._schedule.between(
                furnace_id, self.origin_ns - ahead_ns, end_ns - ahead_ns
            )
        )
        return tuple(sorted(faults, key=lambda fault: (fault.start_ns, fault.furnace_id)))

    @property
    def _end_ns(self) -> int:
        if self.duration_s is None:
            raise ValueError("faults of an endless scenario: expected until_ns, got None")
        return self.origin_ns + int(self.duration_s * NS_PER_S)

    @cached_property
    def _schedule(self) -> Schedule:
        return self.schedule or DemoSchedule(
            self.seed, self.furnace_ids, self.origin_ns - self._ahead_ns, self.duration_s
        )

    @property
    def _ahead_ns(self) -> int:
        """How far the plant's clock is ahead of the furnaces' own: the demo's begins by seed."""
        return 0 if self.schedule else self.origin_ns - demo_origin_ns(self.seed)
