"""A row that needs no server: ours and its baselines, taking turns in this process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.bench.figure import Figure, Goal, figure
from tests.bench.measure import Cost, Subject, taking_turns


@dataclass(frozen=True, slots=True)
class Size:
    """How much work is done.

    Attributes
    ----------
    rounds
        Runs of each subject.
    share
        Of the full work of a run.
    """

    rounds: int
    share: float

    def of(self, count: int) -> int:
        """Return so much of a count, at least one."""
        return max(1, round(count * self.share))


FULL = Size(rounds=5, share=1.0)
SHORT = Size(rounds=5, share=0.25)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of work in this process.

    Attributes
    ----------
    name, what, unit, goal
        Of the figure.
    subjects
        Ours first, then the baselines, for a size.
    """

    name: str
    what: str
    unit: str
    subjects: Callable[[Size], Mapping[str, Subject]]
    goal: Goal | None = None

    def measure(self, size: Size = FULL) -> Figure:
        """Run it."""
        costs = taking_turns(self.subjects(size), size.rounds)
        return figure(self.name, self.what, self.unit, costs, self.goal)

    def least_ratio(self, attempts: int = 1) -> float:
        """Return the least cost of ours over the least of the first baseline, of all runs.

        What a machine does beside us adds to a run and never takes from it. So the least of some
        runs is what the work costs, and more runs bring it nearer. Slower code stays slower.
        """
        subjects = self.subjects(SHORT)
        ours, bare = list(subjects)[:2]
        pair = {name: subjects[name] for name in (ours, bare)}
        costs = taking_turns(pair, SHORT.rounds * attempts)
        return _least(costs[ours]) / _least(costs[bare])


def _least(costs: list[Cost]) -> float:
    return min(cost.cpu_s for cost in costs)
