"""Raises of two runs side by side: which are the same occasion, and how much sooner or later.

One run is what there was (live, or the first of two backtests), the other what was tried.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from pydantic import Field

from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict
from meltwatch_schemas.bounds import Counter, ToldName, ToldText, ToldWord
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import AlarmId, Message

MAX_OCCASIONS: Final = 20_000
SAME_WITHIN: Final = timedelta(seconds=60)
"""Raises no further apart are one occasion, as occasions of a set-point are."""
_PROCESS: Final = "process"
_LISTED: Final = 5


class Raised(NamedTuple):
    """An alarm that was raised.

    Attributes
    ----------
    alarm_id, priority, occurrence_id
        Which.
    at, until
        When, event time; without an end it stood to the end of the run.
    """

    alarm_id: str
    priority: str
    occurrence_id: str
    at: datetime
    until: datetime | None


class RaiseOccasion(Message):
    """One occasion: raised in both runs, or in one of them."""

    alarm_id: AlarmId = Field(description="Which alarm.")
    priority: ToldWord = Field(description="Of the alarm point.")
    occurrence_id: ToldName = Field(default="", description="In the first run, where it has one.")
    before: UtcTime | None = Field(description="When the first run raised it; null: it did not.")
    before_until: UtcTime | None = Field(default=None, description="When that one was over.")
    after: UtcTime | None = Field(description="When the other run raised it; null: it did not.")
    after_until: UtcTime | None = Field(default=None, description="When that one was over.")
    verdict: AlarmVerdict | None = Field(default=None, description="What people have judged.")

    @property
    def shift_s(self) -> float | None:
        """Seconds later in the other run, negative if sooner; None unless both raised it."""
        if self.before is None or self.after is None:
            return None
        return round((self.after - self.before).total_seconds(), 1)

    def of_other(self) -> Raised | None:
        """Return the raise of the other run, if there is one."""
        if self.after is None:
            return None
        name = self.occurrence_id
        return Raised(self.alarm_id, self.priority, name, self.after, self.after_until)


class RaiseAnswer(Message):
    """What trying something does to raises."""

    sentence: ToldText = Field(description="All of it in one line.")
    before: Counter = Field(description="Raises of the first run.")
    after: Counter = Field(description="Raises of the other run.")
    more: Counter = Field(description="Raised by the other run alone.")
    fewer: Counter = Field(description="Raised by the first run alone.")
    median_shift_s: float | None = Field(description="Seconds later, of those that both raise.")
    occasions: list[RaiseOccasion] = Field(
        max_length=MAX_OCCASIONS, description="Each of them, by time."
    )


def raised_in(records: Iterable[AlarmRecord]) -> list[Raised]:
    """Return what process alarms were raised, from their records in order per alarm."""
    found: list[Raised] = []
    standing: dict[str, int] = {}
    for record in records:
        if record.class_ != _PROCESS:
            continue
        cause, name = record.transition.cause, record.alarm_id
        if cause == "RAISE":
            at = record.raise_time or record.evidence.window_end
            standing[name] = len(found)
            found.append(Raised(name, record.priority.value, record.occurrence_id, at, None))
        elif not record.active and name in standing:
            index = standing.pop(name)
            until = record.clear_time or record.evidence.window_end
            found[index] = found[index]._replace(until=until)
    return found


def answer_of(before: Iterable[Raised], after: Iterable[Raised]) -> RaiseAnswer:
    """Return what the raises of one run have become in another."""
    occasions = sorted(_occasions(before, after), key=_place)
    shifts = [each.shift_s for each in occasions if each.shift_s is not None]
    more = sum(each.before is None for each in occasions)
    fewer = sum(each.after is None for each in occasions)
    counts = len(shifts) + fewer, len(shifts) + more
    return RaiseAnswer(
        sentence=_sentence(counts, shifts, more, fewer),
        before=counts[0],
        after=counts[1],
        more=more,
        fewer=fewer,
        median_shift_s=round(median(shifts), 1) if shifts else None,
        occasions=occasions[:MAX_OCCASIONS],
    )


def _occasions(before: Iterable[Raised], after: Iterable[Raised]) -> Iterator[RaiseOccasion]:
    by_alarm: defaultdict[str, tuple[list[Raised], list[Raised]]] = defaultdict(lambda: ([], []))
    for side, raises in enumerate((before, after)):
        for each in raises:
            by_alarm[each.alarm_id][side].append(each)
    for one, other in by_alarm.values():
        yield from _paired(deque(sorted(one, key=_at)), deque(sorted(other, key=_at)))


def _paired(before: deque[Raised], after: deque[Raised]) -> Iterator[RaiseOccasion]:
    """Yield the occasions of one alarm: each raise belongs to one at most."""
    while before or after:
        if before and after and _is_same(before[0], after[0]):
            yield _occasion(before.popleft(), after.popleft())
        elif not after or (before and before[0].at < after[0].at):
            yield _occasion(before.popleft(), None)
        else:
            yield _occasion(None, after.popleft())


def _is_same(one: Raised, other: Raised) -> bool:
    first, second = sorted((one, other), key=_at)
    overlap = first.until is None or first.until > second.at
    return overlap or second.at - first.at <= SAME_WITHIN


def _occasion(one: Raised | None, other: Raised | None) -> RaiseOccasion:
    told = one or other
    assert told is not None  # noqa: S101 - one of them always is
    return RaiseOccasion(
        alarm_id=told.alarm_id,
        priority=told.priority,
        occurrence_id=one.occurrence_id if one else "",
        before=one and one.at,
        before_until=one and one.until,
        after=other and other.at,
        after_until=other and other.until,
    )


def _sentence(counts: tuple[int, int], shifts: list[float], more: int, fewer: int) -> str:
    parts = [f"raises: {counts[0]} → {counts[1]}"]
    if shifts:
        parts.append(_shifts(shifts))
    return "; ".join((*parts, f"{more} more, {fewer} fewer"))


def _shifts(shifts: list[float]) -> str:
    if not any(shifts):
        return "at the same instants"
    if len(shifts) > _LISTED:
        low, high = min(shifts), max(shifts)
        return f"median {_later(median(shifts))} ({_later(low)} to {_later(high)})"
    if min(shifts) >= 0 or max(shifts) <= 0:
        word = "later" if max(shifts) > 0 else "sooner"
        return f"{', '.join(f'{abs(each):.1f}' for each in shifts)} s {word}"
    return ", ".join(map(_later, shifts))


def _later(shift_s: float) -> str:
    return f"{abs(shift_s):.1f} s {'sooner' if shift_s < 0 else 'later'}"


def _at(raised: Raised) -> datetime:
    return raised.at


def _place(occasion: RaiseOccasion) -> tuple[datetime, str]:
    first = occasion.before or occasion.after
    assert first is not None  # noqa: S101 - one of them always is
    return first, occasion.alarm_id
