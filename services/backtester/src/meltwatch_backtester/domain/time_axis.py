"""Event time across a picture; long stretches that hold nothing are cut out of it."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple

from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester.domain.span import Span

WIDTH: Final = 1000
LEAST_CUT_NS: Final = 120 * NS_PER_S
_CUT_SHARE: Final = 0.05
"""A stretch is cut out if it is longer than this share of what is left."""
_MOST_CUTS: Final = 20
_SEAM: Final = 0.015
"""Width of what stands in the place of a cut, as a share of what is left."""
_TICKS: Final = 5
_TICKS_APART: Final = 55.0
_DAY_NS: Final = 86_400 * NS_PER_S
_TIME_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip


class Tick(NamedTuple):
    """A mark on an axis: where, what it says, and of a time the date where that is new."""

    at: float
    label: str
    date: str = ""


class Bar(NamedTuple):
    """A stretch of time across the picture."""

    x: float
    width: float
    span: Span


@dataclass(frozen=True)
class TimeAxis:
    """Event time across the picture.

    Attributes
    ----------
    span
        From its left to its right.
    cuts
        What is left out of it, by time; a narrow seam stands there.
    """

    span: Span
    cuts: tuple[Span, ...] = ()

    @cached_property
    def _pieces(self) -> list[tuple[Span, int]]:
        """What is drawn, each with where it begins, in drawn ns; seams count as time."""
        found, drawn_ns, since_ns = [], 0, self.span.from_ns
        for cut in (*self.cuts, Span(self.span.to_ns, self.span.to_ns)):
            piece = Span(since_ns, cut.from_ns)
            found.append((piece, drawn_ns))
            drawn_ns += piece.to_ns - piece.from_ns + self._seam_ns
            since_ns = cut.to_ns
        return found

    @cached_property
    def _seam_ns(self) -> int:
        length_ns = self.span.to_ns - self.span.from_ns
        left_ns = length_ns - sum(cut.to_ns - cut.from_ns for cut in self.cuts)
        return max(1, round(left_ns * _SEAM)) if self.cuts else 0

    @cached_property
    def length_ns(self) -> int:
        """How much is drawn, seams included."""
        piece, drawn_ns = self._pieces[-1]
        return drawn_ns + piece.to_ns - piece.from_ns

    def drawn_ns(self, time_ns: int) -> int:
        """Return how much is drawn before an instant."""
        within_ns = min(max(time_ns, self.span.from_ns), self.span.to_ns)
        index = bisect_right(self._pieces, within_ns, key=lambda each: each[0].from_ns) - 1
        piece, begin_ns = self._pieces[max(index, 0)]
        length_ns, over_ns = piece.to_ns - piece.from_ns, within_ns - piece.to_ns
        if over_ns <= 0 or index + 1 >= len(self._pieces):
            return begin_ns + min(within_ns - piece.from_ns, length_ns)
        cut_ns = self._pieces[index + 1][0].from_ns - piece.to_ns
        return begin_ns + length_ns + self._seam_ns * over_ns // cut_ns

    def x_of_drawn(self, drawn_ns: int) -> float:
        """Return where something drawn stands, within the picture."""
        return round(min(max(drawn_ns / self.length_ns, 0.0), 1.0) * WIDTH, 2)

    def x(self, time_ns: int) -> float:
        """Return where an instant stands, within the picture."""
        return self.x_of_drawn(self.drawn_ns(time_ns))

    def bars(self, spans: Iterable[Span]) -> list[Bar]:
        """Return stretches as bars that can be seen."""
        found = []
        for span in spans:
            x = self.x(span.from_ns)
            found.append(Bar(x, round(max(self.x(span.to_ns) - x, 1.0), 2), span))
        return found

    def ticks(self) -> list[Tick]:
        """Return a handful of round instants, UTC; with dates if the span crosses days."""
        length_s = self.length_ns / NS_PER_S
        wide = (step for step in _TIME_STEPS_S if length_s / step <= _TICKS + 2)
        step_ns = next(wide, math.ceil(length_s / _TICKS)) * NS_PER_S
        has_dates = self.span.from_ns // _DAY_NS != (self.span.to_ns - 1) // _DAY_NS
        found: list[Tick] = []
        day = -1
        for time_ns in self._round_instants(step_ns):
            x = self.x(time_ns)
            if found and x - found[-1].at < _TICKS_APART:
                continue
            label = _clock(utc_from_ns(time_ns), step_ns)
            is_new = has_dates and step_ns < _DAY_NS and time_ns // _DAY_NS != day
            found.append(Tick(x, label, f"{utc_from_ns(time_ns):%d %b}" if is_new else ""))
            day = time_ns // _DAY_NS
        return found

    def _round_instants(self, step_ns: int) -> Iterator[int]:
        for piece, _ in self._pieces:
            first_ns = -(-piece.from_ns // step_ns) * step_ns
            if first_ns >= piece.to_ns and self.cuts:  # a short piece has its begin said
                yield piece.from_ns
            yield from range(first_ns, piece.to_ns, step_ns)


def cuts_of(ends_ns: Iterable[int], span: Span) -> tuple[Span, ...]:
    """Return the stretches of a span that are worth cutting out, by time.

    Parameters
    ----------
    ends_ns
        When there was something, in order.
    span
        What is to be shown.
    """
    blanks, before_ns = [], span.from_ns
    for end_ns in (*ends_ns, span.to_ns):
        if end_ns - before_ns >= LEAST_CUT_NS:
            blanks.append(Span(before_ns, end_ns))
        before_ns = end_ns
    left_ns = span.to_ns - span.from_ns - sum(map(_length, blanks))
    if left_ns <= 0:
        return ()
    long = [blank for blank in blanks if _length(blank) > _CUT_SHARE * left_ns]
    longest: Sequence[Span] = sorted(long, key=_length, reverse=True)[:_MOST_CUTS]
    return tuple(sorted(longest, key=lambda blank: blank.from_ns))


def _length(span: Span) -> int:
    return span.to_ns - span.from_ns


def _clock(instant: datetime, step_ns: int) -> str:
    if step_ns >= _DAY_NS:
        return instant.strftime("%d %b")
    return instant.strftime("%H:%M" if step_ns >= 60 * NS_PER_S else "%H:%M:%S")
