"""Lines of a journal: what the figures need of each alarm record, in the order of the topic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Mode, Priority
from meltwatch_schemas.instants import ns_from_utc

from meltwatch_core.alarms.alarm import is_raise
from meltwatch_core.alarms.annunciation import announces

TOMBSTONE: Final = "TOMBSTONE"
"""Cause of the line that stands for a tombstone: the alarm point is gone."""
SUPPRESSED: Final = frozenset({AlarmState.SHLVD, AlarmState.DSUPR, AlarmState.OOSRV})
"""States in which an alarm is not announced."""
WAITING: Final = frozenset({AlarmState.UNACK, AlarmState.RTNUN, AlarmState.LATUN})
"""States in which an alarm waits for an acknowledgement."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A record of the alarms topic as a journal holds it.

    Attributes
    ----------
    alarm_id
        The record's key.
    record
        Its value, None for a tombstone.
    written_ns
        The record's own timestamp, ns UTC.
    life
        Number of the topic: a topic that was made again counts from there, and so do its epochs.
    """

    alarm_id: str
    record: AlarmRecord | None
    written_ns: int
    life: int = 0


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One change of one alarm.

    Attributes
    ----------
    alarm_id, occurrence_id, event_id
        Of what.
    at_ns
        Wall clock, ns UTC.
    cause, by
        Why, and the user where a person caused it.
    before, state
        States before and after.
    active, is_raise, announces
        Whether the condition holds, this record begins an occurrence, and it calls an operator.
    raised_ns, cleared_ns
        The plant's time of both, if known.
    priority, counts
        Of the alarm point; ``counts`` is false for journal-only, shadow and advisory ones, which
        nobody is told of as alarms.
    time_to_respond_s
        How long an operator has.
    shelved_by
        Who shelved, while it is shelved.
    """

    alarm_id: str
    occurrence_id: str
    event_id: str
    at_ns: int
    cause: str
    by: str | None
    before: AlarmState
    state: AlarmState
    active: bool
    is_raise: bool
    announces: bool
    raised_ns: int | None
    cleared_ns: int | None
    priority: Priority
    counts: bool
    time_to_respond_s: float
    shelved_by: str | None = None

    @property
    def is_annunciation(self) -> bool:
        """Whether an operator is told: an entry into UNACK, or the same alarm announced again."""
        return self.counts and self.announces

    @property
    def waits(self) -> bool:
        """Whether it waits for an acknowledgement."""
        return self.state in WAITING

    @property
    def is_announced(self) -> bool:
        """Whether the condition holds and the alarm is not suppressed."""
        return self.counts and self.active and self.state not in SUPPRESSED


def line_of(record: AlarmRecord) -> JournalLine:
    """Return the line of an alarm record."""
    told = record.transition
    return JournalLine(
        alarm_id=record.alarm_id,
        occurrence_id=record.occurrence_id,
        event_id=record.event_id,
        at_ns=ns_from_utc(record.times.published),
        cause=told.cause,
        by=told.by,
        before=told.from_,
        state=record.state,
        active=record.active,
        is_raise=is_raise(record),
        announces=announces(told),
        raised_ns=None if record.raise_time is None else ns_from_utc(record.raise_time),
        cleared_ns=None if record.clear_time is None else ns_from_utc(record.clear_time),
        priority=record.priority,
        counts=record.mode is Mode.ALARM and record.priority is not Priority.JOURNAL,
        time_to_respond_s=record.guidance.time_to_respond_s,
        shelved_by=record.shelve.by if record.shelve else None,
    )


def lines_of(logged: Iterable[Logged]) -> Iterator[JournalLine]:
    """Yield the lines that count, by the rule of the contract.

    Per alarm id ``(epoch, seq)`` strictly increases: what is not greater is a repetition, or the
    record of a manager that no longer leads. Replays are left out. A tombstone ends its alarm, and
    what comes later must still be greater. A topic that was made again ends all alarms of the one
    before it; one that was restored from a backup repeats them, and then goes on.

    Parameters
    ----------
    logged
        By life, then by offset.
    """
    newest: dict[str, tuple[int, int]] = {}
    last: dict[str, JournalLine] = {}
    life = None
    latest_ns = 0
    for each in logged:
        if life is not None and each.life != life and each.written_ns > latest_ns:
            yield from (ended(line, each.written_ns) for line in last.values())
            newest, last = {}, {}
        # Of a restored topic records are as old as they were: they repeat what is known.
        latest_ns = max(latest_ns, each.written_ns)
        life, record = each.life, each.record
        if record is None:
            if (gone := last.pop(each.alarm_id, None)) is not None:
                yield ended(gone, each.written_ns)
        elif record.run_id is None and (record.epoch, record.seq) > newest.get(
            record.alarm_id, (-1, -1)
        ):
            newest[record.alarm_id] = (record.epoch, record.seq)
            last[record.alarm_id] = line_of(record)
            yield last[record.alarm_id]


def ended(line: JournalLine, at_ns: int) -> JournalLine:
    """Return the line that ends an alarm for ever, as a tombstone does."""
    return replace(
        line,
        at_ns=max(at_ns, line.at_ns),
        cause=TOMBSTONE,
        by=None,
        before=line.state,
        state=AlarmState.NORM,
        active=False,
        is_raise=False,
        announces=False,
        cleared_ns=None,
        shelved_by=None,
    )
