"""Alarms that tell too often, too briefly or too long: chattering, fleeting, stale, standing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from meltwatch_schemas.alarm import AlarmState, Priority
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.kpi.lines import TOMBSTONE, JournalLine
from meltwatch_core.alarms.kpi.load import DAY_NS, Stretch

CHATTER_NS: Final = 60 * NS_PER_S
CHATTER_RAISES: Final = 3
CHATTER_INDEX: Final = 0.05
"""From here on an alarm chatters: as if it were raised every 20 s."""
FLEETING_NS: Final = 10 * NS_PER_S
STALE_NS: Final = DAY_NS


@dataclass(frozen=True, slots=True)
class Chatter:
    """How an alarm repeats itself.

    Attributes
    ----------
    alarm_id
        Which alarm.
    raises
        Raises that were announced.
    fastest
        The most raises within any 60 s, ``(t - 60 s, t]`` of the plant's time.
    index
        Ψ, the sum of P(r) / r over run lengths r: the seconds from one raise to the next, one at
        least, and P(r) their share. That is the mean of 1 / r. Zero for a single raise.
    """

    alarm_id: str
    raises: int
    fastest: int
    index: float

    @property
    def is_fast(self) -> bool:
        """Whether three or more raises came within 60 s."""
        return self.fastest >= CHATTER_RAISES

    @property
    def is_chattering(self) -> bool:
        """Whether the index says so."""
        return self.index >= CHATTER_INDEX


@dataclass(frozen=True, slots=True)
class Stale:
    """An alarm that stood announced for more than 24 h.

    Attributes
    ----------
    alarm_id, raised_ns
        Which alarm, and since when it was active, in the plant's time.
    begin_ns
        From when on it was stale: 24 h after its raise, or later if it was suppressed then.
    end_ns
        When it returned to normal or was suppressed; None if it stands.
    """

    alarm_id: str
    raised_ns: int
    begin_ns: int
    end_ns: int | None

    def touches(self, stretch: Stretch) -> bool:
        """Tell whether it was stale in a stretch."""
        end_ns = stretch.end_ns if self.end_ns is None else self.end_ns
        return stretch.shared_ns(self.begin_ns, end_ns) > 0


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm as it is at the end of a stretch.

    Attributes
    ----------
    line
        Its last line.
    since_ns
        Since when it is in this state, wall clock.
    """

    line: JournalLine
    since_ns: int


def by_alarm(lines: Iterable[JournalLine]) -> dict[str, list[JournalLine]]:
    """Return the lines of each alarm, in their order."""
    found: dict[str, list[JournalLine]] = defaultdict(list)
    for line in lines:
        found[line.alarm_id].append(line)
    return dict(found)


def chatter_of(lives: Mapping[str, Sequence[JournalLine]], stretch: Stretch) -> list[Chatter]:
    """Return how each alarm that was raised in a stretch repeats itself, the worst first."""
    found = []
    for alarm_id, lines in lives.items():
        raises_ns = sorted(_raised_ns(line) for line in _announced_raises(lines, stretch))
        if raises_ns:
            found.append(
                Chatter(alarm_id, len(raises_ns), _fastest(raises_ns), chatter_index(raises_ns))
            )
    return sorted(found, key=lambda each: (-each.index, -each.fastest, each.alarm_id))


def chatter_index(raises_ns: Sequence[int]) -> float:
    """Return Ψ of the instants of an alarm's raises, which ascend; see ``Chatter``."""
    gaps_s = [max((after - before) / NS_PER_S, 1.0) for before, after in pairwise(raises_ns)]
    return sum(1 / gap_s for gap_s in gaps_s) / len(gaps_s) if gaps_s else 0.0


def fleeting_of(lives: Mapping[str, Sequence[JournalLine]], stretch: Stretch) -> Counter[str]:
    """Count, by alarm, what was raised in a stretch and gone within less than 10 s.

    By the plant's time, and only where nobody acted in between: an alarm that an operator answered
    in time is no nuisance.
    """
    found: Counter[str] = Counter()
    for alarm_id, lines in lives.items():
        raised: JournalLine | None = None
        for line in lines:
            if line.is_raise:
                raised = line if line.is_annunciation and line.at_ns in stretch else None
            elif line.by is not None or line.cause == TOMBSTONE:
                raised = None
            elif raised is not None and not line.active:
                if _ended_ns(line) - _raised_ns(raised) < FLEETING_NS:
                    found[alarm_id] += 1
                raised = None
    return found


def stale_of(lives: Mapping[str, Sequence[JournalLine]], stretch: Stretch) -> list[Stale]:
    """Return which alarms were stale in a stretch, the oldest first; at its end it is now.

    Stale is active for more than 24 h: exactly 24 h is not. While it is suppressed it is not
    announced, so it is no stale alarm then but stands in the lists of suppressed ones.
    """
    found = [each for lines in lives.values() for each in _stale_of_one(lines, stretch.end_ns)]
    return sorted(
        (each for each in found if each.touches(stretch)),
        key=lambda each: (each.raised_ns, each.alarm_id, each.begin_ns),
    )


def last_lines(lives: Mapping[str, Sequence[JournalLine]]) -> list[Standing]:
    """Return each alarm as it is in the end, by id."""
    found = []
    for _, lines in sorted(lives.items()):
        since_ns = lines[-1].at_ns
        for line in reversed(lines):
            if line.state is not lines[-1].state:
                break
            since_ns = line.at_ns
        found.append(Standing(lines[-1], since_ns))
    return found


def standing_by_priority(ends: Iterable[Standing]) -> dict[Priority, int]:
    """Count the alarms that are active and announced, by priority."""
    counts = Counter(each.line.priority for each in ends if each.line.is_announced)
    return {priority: counts[priority] for priority in Priority if priority in counts}


def in_state(ends: Iterable[Standing], state: AlarmState) -> list[Standing]:
    """Return the alarms in a state, the longest in it first."""
    found = [each for each in ends if each.line.state is state]
    return sorted(found, key=lambda each: (each.since_ns, each.line.alarm_id))


def _announced_raises(lines: Iterable[JournalLine], stretch: Stretch) -> Iterator[JournalLine]:
    return (
        line for line in lines if line.is_raise and line.is_annunciation and line.at_ns in stretch
    )


def _raised_ns(line: JournalLine) -> int:
    return line.at_ns if line.raised_ns is None else line.raised_ns


def _ended_ns(line: JournalLine) -> int:
    """Return when an alarm's announcement ended: its return to normal by the plant's time."""
    has_cleared = not line.active and line.cleared_ns is not None and line.cause != TOMBSTONE
    return line.cleared_ns if has_cleared and line.cleared_ns is not None else line.at_ns


def _fastest(raises_ns: Sequence[int]) -> int:
    oldest = best = 0
    for number, at_ns in enumerate(raises_ns):
        while raises_ns[oldest] <= at_ns - CHATTER_NS:
            oldest += 1
        best = max(best, number - oldest + 1)
    return best


def _stale_of_one(lines: Sequence[JournalLine], now_ns: int) -> Iterator[Stale]:
    begun: Stale | None = None
    for line, following in pairwise([*lines, None]):
        if line is None:
            continue
        if not line.is_announced:
            begun = None
            continue
        raised_ns = _raised_ns(line)
        end_ns = now_ns if following is None else _ended_ns(following)
        if begun is None:
            begun = Stale(line.alarm_id, raised_ns, max(line.at_ns, raised_ns + STALE_NS), None)
        goes_on = following is None or following.is_announced
        if not goes_on and end_ns > begun.begin_ns:
            yield Stale(line.alarm_id, raised_ns, begun.begin_ns, end_ns)
        elif following is None and now_ns > begun.begin_ns:
            yield begun
