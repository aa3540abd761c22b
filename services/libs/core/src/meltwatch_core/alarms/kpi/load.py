"""How much operators are told, and when it is too much: rates, bins, peak, floods."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.kpi.lines import JournalLine

TEN_MINUTES_NS: Final = 600 * NS_PER_S
HOUR_NS: Final = 3600 * NS_PER_S
DAY_NS: Final = 24 * HOUR_NS
FLOOD_ABOVE: Final = 10
"""More annunciations than this within ten minutes begin a flood."""
FLOOD_BELOW: Final = 5
"""Fewer than this within ten minutes end it."""
BIN_LIMIT: Final = 10
HOUR_LIMIT: Final = 30


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wall clock ``[begin_ns, end_ns)``, ns UTC, not empty."""

    begin_ns: int
    end_ns: int

    def __contains__(self, at_ns: int) -> bool:
        """Tell whether an instant lies within."""
        return self.begin_ns <= at_ns < self.end_ns

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.end_ns - self.begin_ns

    def shared_ns(self, begin_ns: int, end_ns: int) -> int:
        """Return how much of it lies between two instants."""
        return max(min(self.end_ns, end_ns) - max(self.begin_ns, begin_ns), 0)


@dataclass(frozen=True, slots=True)
class Peak:
    """The most annunciations within any ten minutes of a stretch.

    Attributes
    ----------
    count
        How many.
    at_ns
        When that many had come within the last ten minutes for the first time; None without any.
    """

    count: int
    at_ns: int | None


@dataclass(frozen=True, slots=True)
class Flood:
    """An episode in which nobody can follow the annunciations.

    Attributes
    ----------
    begin_ns
        The instant at which more than ten had come within the last ten minutes.
    end_ns
        The first instant after it with fewer than five within the last ten minutes; None if that
        had not come by the end of the stretch.
    first_out
        The alarm that began it: the oldest annunciation within ten minutes before ``begin_ns``.
    first_ns
        When that was announced.
    count
        Annunciations from ``first_ns`` to the end.
    peak
        The most within ten minutes.
    """

    begin_ns: int
    end_ns: int | None
    first_out: str
    first_ns: int
    count: int
    peak: int


@dataclass(frozen=True, slots=True)
class TimedCount:
    """Annunciations of a day or an hour.

    Attributes
    ----------
    label
        As the plant's calendar or clock writes it: ``2026-03-29`` or ``14:00``.
    stretch
        A day of the calendar has 23, 24 or 25 hours. What the whole stretch cuts is shorter.
    count
        How many.
    """

    label: str
    stretch: Stretch
    count: int


def per(length_ns: int, count: int, stretch: Stretch) -> float:
    """Return a count over a stretch as a mean rate per so much time: N / T."""
    return count * length_ns / stretch.length_ns


def share_of_bins_over(
    limit: int, length_ns: int, times_ns: Sequence[int], stretch: Stretch
) -> float:
    """Return the share of bins that hold more than a limit.

    Bins lie on the UTC clock: ``[k · length, (k + 1) · length)``. Those that the stretch cuts count
    as bins, with what lies in the stretch. A bin is no sliding window: eleven alarms around the
    edge of two bins are in neither of them.

    Parameters
    ----------
    limit, length_ns
        Over how many, within how long.
    times_ns
        Of the annunciations.
    stretch
        What is looked at.
    """
    counts = Counter(at_ns // length_ns for at_ns in times_ns if at_ns in stretch)
    bins = (stretch.end_ns - 1) // length_ns - stretch.begin_ns // length_ns + 1
    return sum(count > limit for count in counts.values()) / bins


def peak_of(times_ns: Sequence[int], stretch: Stretch) -> Peak:
    """Return the most annunciations of a stretch in any ``(t - 10 min, t]``; times ascend."""
    first, stop = (bisect_left(times_ns, edge) for edge in (stretch.begin_ns, stretch.end_ns))
    best = Peak(0, None)
    for number in range(first, stop):
        count = number - max(_oldest(times_ns, number), first) + 1
        if count > best.count:
            best = Peak(count, times_ns[number])
    return best


def floods_of(announced: Sequence[JournalLine], stretch: Stretch) -> list[Flood]:
    """Return the floods that touch a stretch.

    Parameters
    ----------
    announced
        Annunciations by time, those before the stretch too: a flood may have begun there.
    stretch
        What is looked at; nothing at or after its end is known.
    """
    times_ns = [line.at_ns for line in announced]
    known = bisect_left(times_ns, stretch.end_ns)
    found: list[Flood] = []
    begun: int | None = None
    for number in range(known):
        if begun is not None and (over_ns := _over_ns(times_ns, number)) < times_ns[number]:
            found.append(_flood(announced[:number], begun, over_ns))
            begun = None
        if begun is None and number - _oldest(times_ns, number) + 1 > FLOOD_ABOVE:
            begun = number
    if begun is not None:
        over_ns = _over_ns(times_ns, known)
        found.append(
            _flood(announced[:known], begun, None if over_ns >= stretch.end_ns else over_ns)
        )
    return [flood for flood in found if flood.end_ns is None or flood.end_ns > stretch.begin_ns]


def _oldest(times_ns: Sequence[int], number: int) -> int:
    """Return the first of those within ten minutes up to one of them."""
    return bisect_right(times_ns, times_ns[number] - TEN_MINUTES_NS)


def _over_ns(times_ns: Sequence[int], known: int) -> int:
    """Return when fewer than five lie within ten minutes, if nothing comes after those known."""
    return times_ns[known - FLOOD_BELOW] + TEN_MINUTES_NS


def _flood(announced: Sequence[JournalLine], begun: int, end_ns: int | None) -> Flood:
    times_ns = [line.at_ns for line in announced]
    first = _oldest(times_ns, begun)
    return Flood(
        begin_ns=times_ns[begun],
        end_ns=end_ns,
        first_out=announced[first].alarm_id,
        first_ns=times_ns[first],
        count=len(announced) - first,
        peak=max(n - _oldest(times_ns, n) + 1 for n in range(begun, len(announced))),
    )


def flooded_share(floods: Sequence[Flood], stretch: Stretch) -> float:
    """Return the share of a stretch in which a flood lasted."""
    ends = ((f.begin_ns, stretch.end_ns if f.end_ns is None else f.end_ns) for f in floods)
    return sum(stretch.shared_ns(*each) for each in ends) / stretch.length_ns


def days_of(times_ns: Sequence[int], stretch: Stretch, zone: tzinfo) -> list[TimedCount]:
    """Return the calendar days of a stretch in the plant's zone; times ascend."""
    found = []
    begin_ns = stretch.begin_ns
    while begin_ns < stretch.end_ns:
        today = utc_from_ns(begin_ns).astimezone(zone).date()
        tomorrow = today + timedelta(days=1)
        midnight_ns = ns_from_utc(datetime(*tomorrow.timetuple()[:3], tzinfo=zone))
        # Where a zone repeats or leaves out midnight, time goes on all the same.
        end_ns = min(max(midnight_ns, begin_ns + NS_PER_S), stretch.end_ns)
        found.append(_counted(today.isoformat(), times_ns, Stretch(begin_ns, end_ns)))
        begin_ns = end_ns
    return found


def hours_of(times_ns: Sequence[int], stretch: Stretch, zone: tzinfo) -> list[TimedCount]:
    """Return the hours of the UTC clock in a stretch, labelled in a zone; times ascend."""
    found = []
    begin_ns = stretch.begin_ns
    while begin_ns < stretch.end_ns:
        end_ns = min((begin_ns // HOUR_NS + 1) * HOUR_NS, stretch.end_ns)
        label = f"{utc_from_ns(begin_ns).astimezone(zone):%H:%M}"
        found.append(_counted(label, times_ns, Stretch(begin_ns, end_ns)))
        begin_ns = end_ns
    return found


def _counted(label: str, times_ns: Sequence[int], part: Stretch) -> TimedCount:
    count = bisect_left(times_ns, part.end_ns) - bisect_left(times_ns, part.begin_ns)
    return TimedCount(label, part, count)
