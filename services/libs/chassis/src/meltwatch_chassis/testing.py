"""Test doubles that ship with the chassis; runtime code never imports them."""

from dataclasses import dataclass


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
