"""All key figures of a stretch of a journal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from meltwatch_schemas.alarm import AlarmState, Priority

from meltwatch_core.alarms.kpi.lines import JournalLine
from meltwatch_core.alarms.kpi.load import (
    BIN_LIMIT,
    DAY_NS,
    HOUR_LIMIT,
    HOUR_NS,
    TEN_MINUTES_NS,
    Flood,
    Peak,
    Stretch,
    TimedCount,
    days_of,
    flooded_share,
    floods_of,
    hours_of,
    peak_of,
    per,
    share_of_bins_over,
)
from meltwatch_core.alarms.kpi.nuisance import (
    Chatter,
    Stale,
    Standing,
    by_alarm,
    chatter_of,
    fleeting_of,
    in_state,
    last_lines,
    stale_of,
    standing_by_priority,
)
from meltwatch_core.alarms.kpi.response import Response, responses_of, unauthorised

TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Performance:
    """The key figures of a stretch; see the modules beside this one for what each means.

    Attributes
    ----------
    stretch
        What is looked at.
    annunciations
        N: entries into UNACK, re-alarms included, suppressed ones not.
    per_day, per_hour, per_ten_minutes
        N / T.
    peak, bins_over, hours_over
        Of ten minutes, of ten-minute bins with more than 10, of hours with more than 30.
    floods, flooded
        Episodes, and the share of time in them.
    days, hours
        By the plant's calendar, and by the hours of the clock.
    top
        The ten alarms that are announced most, and how often.
    by_priority
        Annunciations.
    chatter
        Of each alarm that was raised.
    fleeting
        Occurrences by alarm.
    stale
        Episodes of alarms active for more than 24 h.
    standing
        Active now, by priority.
    responses
        By priority.
    shelved, by_design, out_of_service
        Suppressed now.
    unauthorised
        Suppressions that name nobody.
    """

    stretch: Stretch
    annunciations: int
    per_day: float
    per_hour: float
    per_ten_minutes: float
    peak: Peak
    bins_over: float
    hours_over: float
    floods: list[Flood]
    flooded: float
    days: list[TimedCount]
    hours: list[TimedCount]
    top: list[tuple[str, int]]
    by_priority: dict[Priority, int]
    chatter: list[Chatter]
    fleeting: Counter[str]
    stale: list[Stale]
    standing: dict[Priority, int]
    responses: dict[Priority, Response]
    shelved: list[Standing]
    by_design: list[Standing]
    out_of_service: list[Standing]
    unauthorised: list[JournalLine]

    @property
    def top_share(self) -> float:
        """Share of the ten most frequent alarms in all annunciations."""
        return sum(count for _, count in self.top) / self.annunciations if self.top else 0.0

    @property
    def most_stale_of_a_day(self) -> int:
        """The most alarms that were stale on one day of the plant's calendar."""
        return max((self.stale_on(day) for day in self.days), default=0)

    def stale_on(self, day: TimedCount) -> int:
        """Return how many alarms were stale on a day."""
        return len({each.alarm_id for each in self.stale if each.touches(day.stretch)})


def performance(lines: Iterable[JournalLine], stretch: Stretch, zone: tzinfo) -> Performance:
    """Return the key figures of a stretch.

    Parameters
    ----------
    lines
        In the order of the topic. Those before the stretch tell in which state it begins: of each
        alarm the last one at least. Those of the last day before it tell the floods that last.
    stretch
        What is looked at. Lines at or after its end are left out.
    zone
        Of the plant, for its days.
    """
    known = [line for line in lines if line.at_ns < stretch.end_ns]
    lives = by_alarm(known)
    ends = last_lines(lives)
    announced = sorted(
        (line for line in known if line.is_annunciation), key=lambda line: line.at_ns
    )
    within = [line for line in announced if line.at_ns in stretch]
    times_ns = [line.at_ns for line in within]
    priorities = Counter(line.priority for line in within)
    floods = floods_of(announced, stretch)
    return Performance(
        stretch=stretch,
        annunciations=len(within),
        per_day=per(DAY_NS, len(within), stretch),
        per_hour=per(HOUR_NS, len(within), stretch),
        per_ten_minutes=per(TEN_MINUTES_NS, len(within), stretch),
        peak=peak_of(times_ns, stretch),
        bins_over=share_of_bins_over(BIN_LIMIT, TEN_MINUTES_NS, times_ns, stretch),
        hours_over=share_of_bins_over(HOUR_LIMIT, HOUR_NS, times_ns, stretch),
        floods=floods,
        flooded=flooded_share(floods, stretch),
        days=days_of(times_ns, stretch, zone),
        hours=hours_of(times_ns, stretch, zone),
        top=_top(within),
        by_priority={p: priorities[p] for p in Priority if p in priorities},
        chatter=chatter_of(lives, stretch),
        fleeting=fleeting_of(lives, stretch),
        stale=stale_of(lives, stretch),
        standing=standing_by_priority(ends),
        responses=responses_of(lives, stretch),
        shelved=in_state(ends, AlarmState.SHLVD),
        by_design=in_state(ends, AlarmState.DSUPR),
        out_of_service=in_state(ends, AlarmState.OOSRV),
        unauthorised=unauthorised(known, stretch),
    )


def _top(announced: Sequence[JournalLine]) -> list[tuple[str, int]]:
    counts = Counter(line.alarm_id for line in announced)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:TOP]
