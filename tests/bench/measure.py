"""What a piece of work costs: processor time beside wall time, of runs that take turns."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Cost:
    """What one unit of work took in one run, seconds."""

    cpu_s: float
    wall_s: float


Subject = Callable[[], Cost]
"""Does a piece of work once and says what one unit of it took."""


class Stopwatch:
    """Takes the time of a block, and what all threads of this process worked in it::

    with Stopwatch() as watch:
        ...
    watch.cost(units)
    """

    def __enter__(self) -> Self:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._cpu_s = time.process_time() - self._cpu_s
        self._wall_s = time.perf_counter() - self._wall_s

    def cost(self, units: int) -> Cost:
        """Return what one of so many units took."""
        return Cost(self._cpu_s / units, self._wall_s / units)


def taking_turns(subjects: Mapping[str, Subject], rounds: int) -> dict[str, list[Cost]]:
    """Run each subject in each round, so that a busy minute of the machine meets them all."""
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            costs[name].append(subject())
    return costs
