"""From traces to the lines and rectangles of an SVG picture."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from meltwatch_schemas.alarm import utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.trace import Column, Trace

WIDTH: Final = 1000
HEIGHT: Final = 170
_LEAST_RANGE: Final = 2.0
_TICKS: Final = 5
_TIME_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip


class Tick(NamedTuple):
    """A mark on an axis: where, and what it says."""

    at: float
    label: str


class Bar(NamedTuple):
    """A stretch of time across the picture."""

    x: float
    width: float
    span: Span


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Event time across the picture."""

    span: Span

    def x(self, time_ns: int) -> float:
        """Return where an instant stands, within the picture."""
        share = (time_ns - self.span.from_ns) / (self.span.to_ns - self.span.from_ns)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 2)

    def bars(self, spans: Iterable[Span]) -> list[Bar]:
        """Return stretches as bars that can be seen."""
        found = []
        for span in spans:
            x = self.x(span.from_ns)
            found.append(Bar(x, round(max(self.x(span.to_ns) - x, 1.0), 2), span))
        return found

    def ticks(self) -> list[Tick]:
        """Return a handful of round instants, UTC."""
        length_s = (self.span.to_ns - self.span.from_ns) / NS_PER_S
        wide = (step for step in _TIME_STEPS_S if length_s / step <= _TICKS + 2)
        step_ns = next(wide, math.ceil(length_s / _TICKS)) * NS_PER_S
        first_ns = -(-self.span.from_ns // step_ns) * step_ns
        times = range(first_ns, self.span.to_ns, step_ns)
        return [Tick(self.x(time_ns), _clock(utc_from_ns(time_ns), step_ns)) for time_ns in times]


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
    times, logits = TimeAxis(trace.span), LogitAxis.over([*values, *thresholds])

    def path(curve: Mapping[int, Column]) -> str:
        return "".join(_path(curve, trace, times, logits))

    shaded = {kind: times.bars(spans) for kind, spans in trace.stretches().items()}
    return Chart(times, logits, path(trace.replayed), path(trace.live), shaded)


def _path(
    curve: Mapping[int, Column], trace: Trace, times: TimeAxis, logits: LogitAxis
) -> Iterator[str]:
    """Yield the steps of a line that breaks where a column is empty."""
    before = None
    for number, column in sorted(curve.items()):
        x = times.x(trace.span.from_ns + number * trace.column_ns + trace.column_ns // 2)
        yield f"{'L' if number - 1 == before else 'M'}{x:g} {logits.y(column.low):g}"
        # A lone point is drawn as a line of no length, which round caps make visible.
        yield f"V{logits.y(column.high):g}"
        before = number


def _clock(instant: datetime, step_ns: int) -> str:
    if step_ns >= 86_400 * NS_PER_S:
        return instant.strftime("%d %b")
    return instant.strftime("%H:%M" if step_ns >= 60 * NS_PER_S else "%H:%M:%S")
