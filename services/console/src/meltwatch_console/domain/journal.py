"""What has happened to alarms, newest first, as far as memory reaches."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from meltwatch_schemas.alarm import AlarmRecord, AlarmState

MOST_ENTRIES: Final = 10_000
MOST_ANSWERED: Final = 500


@dataclass(frozen=True, slots=True)
class JournalQuestion:
    """Which entries are asked for; None of a field means all.

    Attributes
    ----------
    furnace
        A furnace id, or a level above it.
    since, until
        When the record was published; ``until`` not included.
    state
        State that was entered.
    most
        How many entries at most.
    """

    furnace: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: AlarmState | None = None
    most: int = MOST_ANSWERED


class _JournalEntry(NamedTuple):
    at: datetime
    furnace: str
    state: AlarmState
    record: bytes

    def answers(self, asked: JournalQuestion) -> bool:
        return (
            (asked.furnace is None or f"{self.furnace}/".startswith(f"{asked.furnace}/"))
            and (asked.since is None or self.at >= asked.since)
            and (asked.until is None or self.at < asked.until)
            and (asked.state is None or self.state is asked.state)
        )


class JournalTail:
    """The newest records of the alarms topic, each as it stands there.

    Parameters
    ----------
    most
        How many are kept.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._entries: deque[_JournalEntry] = deque(maxlen=most)

    def take(self, record: AlarmRecord) -> None:
        """Keep a record, the newest so far."""
        at, furnace = record.times.published, record.equipment_path
        self._entries.append(_JournalEntry(at, furnace, record.state, record.to_json()))

    def answer(self, asked: JournalQuestion) -> Iterator[bytes]:
        """Yield the records that are asked for, newest first."""
        left = min(asked.most, MOST_ANSWERED)
        for entry in reversed(self._entries):
            if left and entry.answers(asked):
                left -= 1
                yield entry.record
