"""Which rows are held in the gate, and how far they may go from what was recorded."""

from collections.abc import Mapping
from typing import Final

from tests.bench import alarm_rows, join_rows
from tests.bench.comparison import Comparison

COMPARISONS: Final = {
    each.name: each for each in (*join_rows.comparisons(), *alarm_rows.comparisons())
}
GUARDED: Final = (
    "join.record",
    "message.embedding.decode",
    "message.current.decode",
    "message.score.decode",
    "score.publish",
    "alarms.score",
)
"""Rows whose ratio to their first baseline is held."""
LOOSE: Final = 1.5
"""Machines and their libraries differ by less, a lost factor is more."""
_AGAIN: Final = 4


def recorded_ratios() -> dict[str, float]:
    """Measure what the guard will measure, with more runs."""
    return {name: round(COMPARISONS[name].least_ratio(_AGAIN), 3) for name in GUARDED}


def lost_factor(comparison: Comparison, recorded: Mapping[str, float]) -> str | None:
    """Return what has become slower than its bound, or None.

    A ratio over the bound is measured once more with four times as many runs. That is no second
    throw of the dice: the least of more runs is nearer to what the work costs.
    """
    bound = recorded[comparison.name] * LOOSE
    ratio = comparison.least_ratio()
    if ratio > bound:
        ratio = comparison.least_ratio(_AGAIN)
    if ratio <= bound:
        return None
    return (
        f"{comparison.name}: expected at most {bound:.1f} times its bare baseline, "
        f"got {ratio:.1f}; make it faster, or accept it by make bench"
    )
