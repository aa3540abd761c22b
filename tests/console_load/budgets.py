"""The budgets of the console, what was seen of each, and the table of both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """One budget and what a run has seen of it.

    Attributes
    ----------
    what
        For people.
    value, most
        Measured, and the budget; None where there is none and the figure only explains others.
    unit
        Of both; empty for a ratio.
    everywhere
        It holds on a busy machine and in a short run, too: it is no time by the clock.
    """

    what: str
    value: float
    most: float | None
    unit: str = ""
    everywhere: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is within the budget."""
        return self.most is None or self.value <= self.most

    def row(self) -> str:
        """Return it as a row of a table."""
        unit = f" {self.unit}" if self.unit else ""
        budget = "" if self.most is None else f"≤ {_number(self.most)}{unit}"
        missed = "" if self.holds else " **missed**"
        return f"| {self.what} | {budget} | {_number(self.value)}{unit}{missed} |"


def _number(value: float) -> str:
    if math.isnan(value):
        return "nothing"
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(seen: Sequence[Seen]) -> str:
    """Return the table, Markdown."""
    head = "| what | budget | measured |\n|---|---|---|"
    return "\n".join([head, *(each.row() for each in seen)])


def below(values: Sequence[float], part: float) -> float:
    """Return the value that such a part of them is at or below; not a number of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else math.nan
