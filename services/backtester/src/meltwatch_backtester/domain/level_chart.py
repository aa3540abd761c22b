"""The return levels of normal operation as a picture (Coles 2001, section 4.3.5).

Across, on a logarithmic scale: furnace-days from one false alarm to the next. Up: the threshold.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from meltwatch_backtester.domain.chart import WIDTH, LogitAxis, Tick
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding

LEVELS_HEIGHT: Final = 420
_CURVE_STEPS: Final = 100
_AIR: Final = 1.3
"""Room at both ends of the axis of days, as a factor."""


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


class Interval(NamedTuple):
    """A threshold for a budget, with its 95 % interval."""

    x: float
    y: float
    low_y: float
    high_y: float
    is_asked: bool


@dataclass(frozen=True, slots=True)
class PeriodAxis:
    """Furnace-days between false alarms across the picture, from ``shortest`` to ``longest``."""

    shortest: float
    longest: float

    def x(self, days: float) -> float:
        """Return where a number of days stands."""
        share = math.log(days / self.shortest) / math.log(self.longest / self.shortest)
        return round(share * WIDTH, 2)

    def ticks(self) -> list[Tick]:
        """Return round numbers of days, such as 1, 2, 5 and 10."""
        first, last = (math.floor(math.log10(d)) for d in (self.shortest, self.longest))
        round_days = (n * 10.0**power for power in range(first, last + 1) for n in (1, 2, 5))
        return [Tick(self.x(d), f"{d:g}") for d in round_days if self.shortest <= d <= self.longest]


@dataclass(frozen=True, slots=True)
class LevelChart:
    """Which logits normal operation reaches, and how rarely.

    Attributes
    ----------
    days, logits
        Its axes.
    peaks
        Each occasion that was seen, at the days in which one as high was seen once.
    curve
        The fitted tail, as SVG writes a path.
    thresholds
        Those found, with intervals.
    default_y
        The default set-point.
    """

    days: PeriodAxis
    logits: LogitAxis
    peaks: list[Point]
    curve: str
    thresholds: list[Interval]
    default_y: float


def level_chart(found: SetpointFinding, default: float) -> LevelChart:
    """Draw what was found; the axis of thresholds reaches to the default one."""
    basis = found.basis
    heights = np.sort(found.peaks)[::-1].tolist()
    budgets = [1 / one.budget for one in found.thresholds]
    shortest, longest = 1 / basis.tail.rate, max(basis.days, *budgets)
    days = PeriodAxis(min(shortest, *budgets) / _AIR, longest * _AIR)
    intervals = [limit for one in found.thresholds for limit in (one.low, one.high)]
    logits = LogitAxis.over([*heights, *intervals, default], LEVELS_HEIGHT)
    return LevelChart(
        days=days,
        logits=logits,
        peaks=[
            Point(days.x(basis.days / rank), logits.y(height))
            for rank, height in enumerate(heights, start=1)
        ],
        curve="L".join(_curve(found, days, logits, shortest)),
        thresholds=[
            Interval(
                days.x(1 / one.budget),
                logits.y(one.logit_on),
                logits.y(one.low),
                logits.y(one.high),
                one.budget == basis.budget,
            )
            for one in found.thresholds
        ],
        default_y=logits.y(default),
    )


def _curve(
    found: SetpointFinding, days: PeriodAxis, logits: LogitAxis, shortest: float
) -> Iterator[str]:
    for each in np.geomspace(shortest, days.longest, _CURVE_STEPS).tolist():
        yield f"{days.x(each):g} {logits.y(found.basis.tail.value_of(1 / each)):g}"
