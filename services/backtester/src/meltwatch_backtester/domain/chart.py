"""From traces and from return levels to the lines and rectangles of SVG pictures.

The axes are ours: a page of many furnaces is drawn in a moment, follows the reader's light or dark
colours, and needs no library of pictures where only a backtest is installed (ADR 0029).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from meltwatch_backtester.domain.setpoint_finding import NormalFinding
from meltwatch_backtester.domain.time_axis import WIDTH, Bar, Tick, TimeAxis
from meltwatch_backtester.domain.trace import Column, Trace

HEIGHT: Final = 170
LEVELS_HEIGHT: Final = 420
_LEAST_RANGE: Final = 2.0
_TICKS: Final = 5
_CURVE_STEPS: Final = 100
_AIR: Final = 1.3
"""Room at both ends of the axis of days, as a factor."""


@dataclass(frozen=True, slots=True)
class LogitAxis:
    """Logits up a picture of some height, from ``low`` to ``high``."""

    low: float
    high: float
    height: float = HEIGHT

    @classmethod
    def over(cls, values: Iterable[float], height: float = HEIGHT) -> "LogitAxis":
        """Return an axis that shows some values, with air above and below."""
        shown = list(values) or [0.0]
        low, high = min(shown), max(shown)
        air = max(0.06 * (high - low), (_LEAST_RANGE - (high - low)) / 2, 0.0)
        return cls(low - air, high + air, height)

    def y(self, logit: float) -> float:
        """Return how far down a logit stands."""
        return round((self.high - logit) / (self.high - self.low) * self.height, 2)

    def ticks(self) -> list[Tick]:
        """Return a handful of round logits."""
        rough = (self.high - self.low) / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [Tick(self.y(n * step), f"{n * step:g}") for n in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of one furnace's trace.

    Attributes
    ----------
    times, logits
        Its axes.
    replayed, live
        Paths as SVG writes them.
    shaded
        Bars by kind.
    """

    times: TimeAxis
    logits: LogitAxis
    replayed: str
    live: str
    shaded: Mapping[str, list[Bar]]


def chart_of(trace: Trace, thresholds: Iterable[float]) -> Chart:
    """Draw a trace; the axis reaches to the thresholds."""
    columns = [*trace.replayed.values(), *trace.live.values()]
    values = [value for column in columns for value in column]
    times, logits = trace.times, LogitAxis.over([*values, *thresholds])

    def path(curve: Mapping[int, Column]) -> str:
        return "".join(_path(curve, trace, logits))

    shaded = {kind: times.bars(spans) for kind, spans in trace.stretches().items()}
    return Chart(times, logits, path(trace.replayed), path(trace.live), shaded)


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
        The default set-point; None without one.
    """

    days: PeriodAxis
    logits: LogitAxis
    peaks: list[Point]
    curve: str
    thresholds: list[Interval]
    default_y: float | None


def level_chart(found: NormalFinding, default: float | None) -> LevelChart:
    """Draw the return levels of normal operation (Coles 2001, section 4.3.5).

    Across, on a logarithmic scale: furnace-days from one false alarm to the next. Up: the
    threshold; its axis reaches to the default one, where there is one.
    """
    basis = found.basis
    heights = np.sort(found.peaks)[::-1].tolist()
    budgets = [1 / one.budget for one in found.thresholds]
    shortest, longest = 1 / basis.tail.rate, max(basis.days, *budgets)
    days = PeriodAxis(min(shortest, *budgets) / _AIR, longest * _AIR)
    defaults = [] if default is None else [default]
    intervals = [limit for one in found.thresholds for limit in (one.low, one.high)]
    logits = LogitAxis.over([*heights, *intervals, *defaults], LEVELS_HEIGHT)
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
        default_y=None if default is None else logits.y(default),
    )


def _path(curve: Mapping[int, Column], trace: Trace, logits: LogitAxis) -> Iterator[str]:
    """Yield the steps of a line that breaks where a column is empty."""
    before = None
    for number, column in sorted(curve.items()):
        x = trace.times.x_of_drawn(number * trace.column_ns + trace.column_ns // 2)
        yield f"{'L' if number - 1 == before else 'M'}{x:g} {logits.y(column.low):g}"
        # A lone point is drawn as a line of no length, which round caps make visible.
        yield f"V{logits.y(column.high):g}"
        before = number


def _curve(
    found: NormalFinding, days: PeriodAxis, logits: LogitAxis, shortest: float
) -> Iterator[str]:
    for each in np.geomspace(shortest, days.longest, _CURVE_STEPS).tolist():
        yield f"{days.x(each):g} {logits.y(found.basis.tail.value_of(1 / each)):g}"
