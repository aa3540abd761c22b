"""Test doubles that ship with the chassis; runtime code never imports them."""

from dataclasses import dataclass, field

from meltwatch_chassis.publishing import OutgoingChunk


@dataclass(slots=True)
class ManualClock:
    """A clock that moves when told.

    Attributes
    ----------
    time_ns
        What both clocks show.
    """

    time_ns: int = 0

    def now_ns(self) -> int:
        """Return the set time."""
        return self.time_ns

    def monotonic_ns(self) -> int:
        """Return the set time."""
        return self.time_ns

    def advance(self, step_ns: int) -> None:
        """Move the clock forward."""
        self.time_ns += step_ns


@dataclass(slots=True)
class RecordingPublisher:
    """A ``Publisher`` that keeps what it is given.

    Attributes
    ----------
    records
        In the order of sending.
    room
        How many more it takes until it is full; None for any number.
    delivers
        Whether what it took counts as delivered.
    """

    records: list[OutgoingChunk] = field(default_factory=list)
    room: int | None = None
    delivers: bool = True

    def send(self, record: OutgoingChunk) -> None:
        """Keep a record."""
        self.records.append(record)
        if self.room is not None:
            self.room -= 1

    def is_full(self) -> bool:
        """Tell whether there is no room."""
        return self.room is not None and self.room <= 0

    def is_idle(self) -> bool:
        """Tell whether everything counts as delivered."""
        return self.delivers
