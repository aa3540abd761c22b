"""What the alarms topic says of a span: the state before, the transitions in it, and when.

A record that a score caused belongs to the span if its window does. One that a command caused
belongs where it stands between those of its alarm, or else by the wall clock.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from meltwatch_core.alarms.command import reason_of
from meltwatch_core.alarms.system_alarms import SYSTEM
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.record import RawRecord

from meltwatch_backtester.domain.span import Span

_BY_SCORE: Final = frozenset({"RAISE", "CLEAR", "QUALITY"})


@dataclass(frozen=True, slots=True)
class ComparedTransition:
    """A transition, reduced to what live and replay can have in common.

    Attributes
    ----------
    cause
        RAISE, CLEAR, ACK …
    window_end
        Of the newest window that the alarm rests on.
    state
        Afterwards, on the wire; of a system alarm, which live may mask, whether it is active.
    by
        The user, where a person caused it.
    """

    cause: str
    window_end: datetime
    state: str
    by: str | None


class JournalMoment(NamedTuple):
    """When the live manager did something: wall clock, and sequence number if recorded."""

    at_ns: int
    seq: int = 0


class JournalEntry(NamedTuple):
    """A record of the alarms topic, raw and read."""

    raw: RawRecord
    record: AlarmRecord


def compared(record: AlarmRecord) -> ComparedTransition:
    """Return the transition of a record."""
    state = record.state.value
    if record.class_ == SYSTEM:
        state = "active" if record.active else "over"
    told = record.transition
    return ComparedTransition(told.cause, record.times.watermark, state, told.by)


def is_by_score(record: AlarmRecord) -> bool:
    """Tell whether a score caused a record; else a command did."""
    return record.transition.cause in _BY_SCORE


def place_of(record: AlarmRecord) -> JournalMoment:
    """Return when its manager wrote a record."""
    return JournalMoment(ns_from_utc(record.times.published), record.seq)


class Journal:
    """The live journal around a span.

    Parameters
    ----------
    entries
        In the order of the topic.
    span
        What is replayed.

    Attributes
    ----------
    before
        Records from which the alarms at the beginning of the span are restored, in their order.
    within
        By alarm id, the records of the span; at the end there may be some more that commands
        caused after it.
    judged_ones
        Records that bear a judgement, whenever it was given.
    """

    def __init__(self, entries: Iterable[JournalEntry], span: Span) -> None:
        alarms: dict[str, list[JournalEntry]] = defaultdict(list)
        for entry in entries:
            alarms[entry.record.alarm_id].append(entry)
        self.before: list[RawRecord] = []
        self.within: dict[str, list[AlarmRecord]] = {}
        self.judged_ones: list[AlarmRecord] = []
        for alarm_id, lived in alarms.items():
            self.judged_ones += [e.record for e in lived if e.record.judgement is not None]
            first, end = _bounds(lived, span)
            self.before += [entry.raw for entry in lived[:first]]
            if first < end:
                self.within[alarm_id] = [entry.record for entry in lived[first:end]]
        self.before.sort(key=lambda raw: raw.offset)
        self._judged = self._places()
        self._answers = {
            alarm_id: [entry.record for entry in lived if not is_by_score(entry.record)]
            for alarm_id, lived in alarms.items()
        }

    def _places(self) -> dict[tuple[str, datetime], JournalMoment]:
        places: dict[tuple[str, datetime], JournalMoment] = {}
        for records in self.within.values():
            for record in filter(is_by_score, records):
                key = (record.equipment_path, record.times.watermark)
                places[key] = min(place_of(record), places.get(key, place_of(record)))
        return places

    def judged(self, furnace_id: str, window_end_ns: int) -> JournalMoment | None:
        """Return when a score was judged live, if it changed an alarm."""
        return self._judged.get((furnace_id, utc_from_ns(window_end_ns)))

    def answered(self, command: AlarmCommand, sent_ns: int) -> AlarmRecord | None:
        """Return the record that a command caused live, each once; commands come in their order."""
        answers = self._answers.get(command.alarm_id, [])
        remark = command.comment or reason_of(command)
        wanted = (command.command.upper(), command.user, remark)
        for index, record in enumerate(answers):
            told = record.transition
            if place_of(record).at_ns >= sent_ns and (told.cause, told.by, told.comment) == wanted:
                return answers.pop(index)
        return None

    def until(self, end_ns: int) -> dict[str, list[AlarmRecord]]:
        """Return the records of the span but for what people caused from an instant on."""
        found = {
            alarm_id: [
                each for each in records if is_by_score(each) or place_of(each).at_ns < end_ns
            ]
            for alarm_id, records in self.within.items()
        }
        return {alarm_id: records for alarm_id, records in found.items() if records}

    def is_within(self, record: AlarmRecord) -> bool:
        """Tell whether a record belongs to the span."""
        return record in self.within.get(record.alarm_id, ())


def _bounds(lived: list[JournalEntry], span: Span) -> tuple[int, int]:
    """Return from where to where an alarm's records belong to a span."""
    records = [entry.record for entry in lived]
    first = end = 0
    for index, record in enumerate(records):
        if is_by_score(record):
            if record.times.watermark < utc_from_ns(span.from_ns):
                first = index + 1
            if record.times.watermark < utc_from_ns(span.to_ns):
                end = index + 1
    while first < len(records) and _is_commanded_before(records[first], span.from_ns):
        first += 1
    while end < len(records) and not is_by_score(records[end]):
        end += 1
    return first, max(first, end)


def _is_commanded_before(record: AlarmRecord, time_ns: int) -> bool:
    return not is_by_score(record) and place_of(record).at_ns < time_ns
