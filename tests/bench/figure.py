"""One line of the report: what was measured, the goal, and the baseline of the same run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, Self

from tests.bench.measure import Cost

US: Final = "µs"
MS: Final = "ms"
SCALES: Final = {US: 1e6, MS: 1e3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a figure, or on its ratio to the first baseline.

    Attributes
    ----------
    bound
        In the figure's unit, or a ratio.
    of_ratio
        Whether it bounds the ratio.
    at_least
        Whether more is better; else less is.
    """

    bound: float
    of_ratio: bool = False
    at_least: bool = False

    def __str__(self) -> str:
        sign, kind = "≥" if self.at_least else "≤", " ×" if self.of_ratio else ""
        return f"{sign} {number(self.bound)}{kind}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured quantity.

    Attributes
    ----------
    name
        Unique: row and quantity, with a point between.
    what
        For people.
    unit
        Of all values.
    ours
        One value a run.
    baselines
        The same of others, in the same runs; the first one counts for goals and guards.
    goal
        What it should be.
    wall
        Ours by the clock on the wall, where values are processor time.
    note
        What a reader must know.
    measured
        When, at which commit, under which load.
    """

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    baselines: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    goal: Goal | None = None
    wall: tuple[float, ...] = ()
    note: str = ""
    measured: str = ""

    @property
    def value(self) -> float:
        """The median of the runs."""
        return median(self.ours)

    def ratio(self, baseline: str) -> float | None:
        """Return how many times a baseline ours is, run by run; None for a baseline of nothing."""
        pairs = [(own, bare) for own, bare in zip(self.ours, self.baselines[baseline], strict=True)]
        ratios = [own / bare for own, bare in pairs if bare > 0]
        return median(ratios) if ratios else None

    @property
    def first_ratio(self) -> float | None:
        """The ratio to the first baseline."""
        return next((self.ratio(name) for name in self.baselines), None)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without one, or without a ratio that it asks for."""
        if self.goal is None:
            return None
        found = self.first_ratio if self.goal.of_ratio else self.value
        if found is None:
            return None
        return found >= self.goal.bound if self.goal.at_least else found <= self.goal.bound

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        goal = self.goal
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "ours": [short(value) for value in self.ours],
            "baselines": {k: [short(value) for value in v] for k, v in self.baselines.items()},
            "goal": [goal.bound, goal.of_ratio, goal.at_least] if goal else None,
            "wall": [short(value) for value in self.wall],
            "note": self.note,
            "measured": self.measured,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Read it from a JSON object."""
        values = dict(said)
        values["ours"], values["wall"] = tuple(said["ours"]), tuple(said["wall"])
        values["baselines"] = {name: tuple(each) for name, each in said["baselines"].items()}
        values["goal"] = Goal(*said["goal"]) if said["goal"] else None
        return cls(**values)


def figure(
    name: str,
    what: str,
    unit: str,
    costs: Mapping[str, Sequence[Cost]],
    goal: Goal | None = None,
    note: str = "",
) -> Figure:
    """Make a figure of costs; the first subject is ours, the others are baselines."""
    ours, *others = costs
    scale = SCALES[unit]
    return Figure(
        name,
        what,
        unit,
        tuple(cost.cpu_s * scale for cost in costs[ours]),
        {other: tuple(cost.cpu_s * scale for cost in costs[other]) for other in others},
        goal,
        tuple(cost.wall_s * scale for cost in costs[ours]),
        note,
    )


def number(value: float) -> str:
    """Return a number as people read it: three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def short(value: float) -> float:
    """Return a number without the digits that nobody measured."""
    return float(f"{value:.4g}")


def table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table."""
    lines = ["| what | unit | ours | goal | baseline: value, ours ÷ it |", "|---|---|---|---|---|"]
    for each in figures:
        met = {None: "", True: " met", False: " **missed**"}[each.is_met]
        goal = f"{each.goal}{met}" if each.goal else ""
        bare = "; ".join(_beside(each, name) for name in each.baselines)
        what = f"{each.what} ({each.note})" if each.note else each.what
        lines.append(f"| {what} | {each.unit} | {_spread(each.ours)} | {goal} | {bare} |")
    return "\n".join(lines)


def _beside(each: Figure, name: str) -> str:
    ratio = each.ratio(name)
    against = "" if ratio is None else f", {number(ratio)} ×"
    return f"{name}: {number(median(each.baselines[name]))}{against}"


def _spread(values: Sequence[float]) -> str:
    middle = number(median(values))
    low, high = number(min(values)), number(max(values))
    return middle if low == high else f"**{middle}** ({low}–{high})"
