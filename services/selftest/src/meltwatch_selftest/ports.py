"""What the self-test needs from outside."""

from collections.abc import Callable, Iterable
from typing import Protocol

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord, RawRecord

Tell = Callable[[str], None]
"""Takes a line of progress."""


class Topics(Protocol):
    """The topics of the system under test."""

    def send(self, records: Iterable[OutgoingRecord]) -> None:
        """Send records and wait until they are delivered."""
        ...

    def collect(self) -> Iterable[RawRecord]:
        """Return what has come about the furnace and its alarm; waits a moment for it."""
        ...


class AlarmView(Protocol):
    """The alarms as Redis shows them."""

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        """Return the newest record of an alarm, or None if there is none."""
        ...
