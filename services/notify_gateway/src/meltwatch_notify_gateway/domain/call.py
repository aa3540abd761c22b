"""What calls a person: an alarm as it was announced, or a trouble that no record tells of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from meltwatch_schemas.alarm import AlarmRecord, Mode, Priority
from meltwatch_schemas.alarm_list import is_unacknowledged, token_of

RANK: Final = {priority: rank for rank, priority in enumerate(Priority)}
"""0 is the most urgent."""


@dataclass(frozen=True, slots=True)
class Call:
    """One reason to tell somebody something, until it is acknowledged or over.

    Attributes
    ----------
    alarm_id
        Which alarm; of a trouble, the id that receipts give.
    token
        Event id of the annunciation: with another one, somebody must be told anew.
    priority
        How soon, and how often.
    since
        When it began, plant time; the first of a group is its first-out.
    record
        The alarm; None for a trouble.
    words
        What the trouble is.
    """

    alarm_id: str
    token: str
    priority: Priority
    since: datetime
    record: AlarmRecord | None = None
    words: str = ""

    @property
    def plant(self) -> str:
        """What its notices are grouped by: the first level of the path."""
        return self.alarm_id.partition("/")[0]

    @classmethod
    def of(cls, record: AlarmRecord, known: Self | None) -> Self | None:
        """Return why an alarm calls somebody, None if it does not.

        Whatever is acknowledged, over, shelved, suppressed or out of service calls nobody, nor
        does an alarm point that is only watched.

        Parameters
        ----------
        record
            The newest of the alarm.
        known
            Why it called before: a record that names no annunciation is none of its own.
        """
        is_told = record.mode is Mode.ALARM and record.priority is not Priority.JOURNAL
        if not is_told or not is_unacknowledged(record.state):
            return None
        token = token_of(record)
        if record.annunciation_id is None and known is not None and known.record is not None:
            is_same = known.record.occurrence_id == record.occurrence_id
            token = known.token if is_same else token
        since = record.raise_time or record.condition_time
        return cls(record.alarm_id, token, record.priority, since, record)


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message tells: the calls of a plant that are due.

    Attributes
    ----------
    calls
        The first-out of each priority comes before what followed it.
    reminded
        Tokens of those that had been told before.
    """

    calls: Sequence[Call]
    reminded: frozenset[str] = frozenset()

    @property
    def plant(self) -> str:
        """Whose alarms these are."""
        return self.calls[0].plant

    @property
    def priority(self) -> Priority:
        """The most urgent of the calls."""
        return min((call.priority for call in self.calls), key=RANK.__getitem__)

    @property
    def first_out(self) -> Call:
        """The one that began first."""
        return min(self.calls, key=lambda call: (call.since, call.alarm_id))


def reading_order(calls: Sequence[Call]) -> list[Call]:
    """Return calls as a message tells them: first-out, then the urgent, then the older."""
    first = min(calls, key=lambda call: (call.since, call.alarm_id))
    rest = (call for call in calls if call is not first)
    urgent = sorted(rest, key=lambda call: (RANK[call.priority], call.since, call.alarm_id))
    return [first, *urgent]


def is_within(begin: datetime, now: datetime, span: timedelta) -> bool:
    """Tell whether less than a span has passed; a clock that was set back has passed it."""
    return timedelta(0) <= now - begin < span
