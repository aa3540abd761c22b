"""How a channel is used: which priorities, how often, when not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from meltwatch_schemas.alarm import Priority

from meltwatch_notify_gateway.domain.call import Call

TOLD: Final = tuple(priority for priority in Priority if priority is not Priority.JOURNAL)
NAG: Final = {
    Priority.CRITICAL: timedelta(minutes=2),
    Priority.HIGH: timedelta(minutes=5),
    Priority.MEDIUM: timedelta(minutes=30),
    Priority.LOW: timedelta(hours=4),
}
"""How long after a message the same call is told again, unless the channel says otherwise."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing but critical calls is told.

    Attributes
    ----------
    begin, end
        Times of day; an end before the beginning is that of the next day.
    zone
        Where.
    """

    begin: time
    end: time
    zone: tzinfo = UTC

    def cover(self, now: datetime) -> bool:
        """Tell whether they are now."""
        local = now.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """How one channel is used.

    Attributes
    ----------
    name
        Of the channel, in logs, metrics and receipts.
    priorities
        What it tells; troubles of the notifications themselves it always tells.
    quiet
        When it tells critical calls alone; None for never.
    nag
        How long after a message the same call is told again.
    longest
        Characters of a message.
    """

    name: str
    priorities: frozenset[Priority] = frozenset(TOLD)
    quiet: QuietHours | None = None
    nag: dict[Priority, timedelta] = field(default_factory=NAG.copy)
    longest: int = 2_000

    def tells(self, call: Call) -> bool:
        """Tell whether a call is one for this channel."""
        return call.record is None or call.priority in self.priorities

    def holds(self, call: Call, now: datetime) -> bool:
        """Tell whether a call must wait until quiet hours are over."""
        is_quiet = self.quiet is not None and self.quiet.cover(now)
        return is_quiet and call.priority is not Priority.CRITICAL

    def interval(self, call: Call) -> timedelta:
        """Return how long after a message a call is told again."""
        return self.nag[call.priority]
