"""When an alarm must be raised and cleared: the rule of the set-points, written from its text.

Shares no code with the product. A logit at or above ``on`` speaks for raising, one below ``off``
for clearing. A delay runs from the first window that speaks for the change, is reset by one that
speaks against it, and stands still over more than one missing window. With k of n, k of the last
n windows at or above ``on`` raise. A window without a verdict says nothing. Where a set-point is
prepared for another ensemble, each window is judged by that of the ensemble that scored it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.chaos.alarm_points import HOP, Point

RAISE: Final = "RAISE"
CLEAR: Final = "CLEAR"


class Judged(NamedTuple):
    """A window with a verdict.

    Attributes
    ----------
    end
        Its end, ns.
    logit, digest
        What was said of it, and by which ensemble.
    """

    end: int
    logit: float
    digest: str = ""


@dataclass(frozen=True)
class Change:
    """A raise or a clear.

    Attributes
    ----------
    cause
        Which.
    first, end
        The windows with which it began to hold and was decided.
    logit
        Of the latter.
    """

    cause: str
    first: int
    end: int
    logit: float


def changes(point: Point, windows: Iterable[Judged]) -> Iterator[Change]:
    """All raises and clears of an alarm, turn by turn."""
    rest = iter(windows)
    before: int | None = None
    while True:
        for cause, decide in ((RAISE, _by_count if point.n else _by_delay), (CLEAR, _by_delay)):
            found, before = decide(point, cause, before, rest)
            if found is None:
                return
            yield found


Found = tuple[Change | None, int | None]
"""The change, and the end of the last window looked at."""


def _by_delay(point: Point, cause: str, before: int | None, rest: Iterator[Judged]) -> Found:
    is_raise = cause == RAISE
    first, held = None, 0
    for end, logit, digest in rest:
        now = point.under(digest)
        delay = now.on_delay if is_raise else now.off_delay
        gap = 0 if before is None or end - before > 2 * HOP else end - before
        before = end
        high, low = logit >= now.on, logit < now.off
        speaks_for, speaks_against = (high, low) if is_raise else (low, high)
        if speaks_against:
            first = None
        elif first is not None:
            held += gap
        elif speaks_for:
            first, held = end, 0
        if first is not None and held >= delay:
            return Change(cause, first, end, logit), before
    return None, before


def _by_count(point: Point, cause: str, before: int | None, rest: Iterator[Judged]) -> Found:
    last: deque[int | None] = deque(maxlen=point.n)
    for end, logit, digest in rest:
        before = end
        last.append(end if logit >= point.under(digest).on else None)
        high = [each for each in last if each is not None]
        if len(high) >= (point.k or 1):
            return Change(cause, high[0], end, logit), before
    return None, before
