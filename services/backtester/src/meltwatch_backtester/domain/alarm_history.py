"""What a journal holds of a stretch that was asked for, and what it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from meltwatch_core.alarms.kpi.key_figures import Audit
from meltwatch_core.alarms.kpi.lines import JournalLine
from meltwatch_core.alarms.kpi.load import DAY_NS, Stretch
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.volume import COMPACTED_AFTER_NS, Hole, VolumeFacts
from meltwatch_backtester.errors import HistoryMissing

ENOUGH_NS: Final = 29 * DAY_NS
"""A month, also one whose first alarm came late."""


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """Alarms of a stretch.

    Attributes
    ----------
    asked, stretch
        What was asked for, and the part of it that the journal covers.
    lines
        In the order of the topic, with the state before the stretch.
    audit
        What the journal holds beside alarms.
    holes
        When records may be missing.
    unreadable
        Records that every reader refuses.
    zone
        Of the plant.
    """

    asked: Span
    stretch: Stretch
    lines: Sequence[JournalLine]
    audit: Audit
    holes: Sequence[Hole]
    unreadable: int
    zone: tzinfo

    def notes(self) -> list[str]:
        """Return what a reader must know, one sentence each."""
        said = []
        if self.stretch.begin_ns > self.asked.from_ns:
            begin = self.shown(self.stretch.begin_ns)
            said.append(f"The journal begins at {begin}, later than asked. Rates are from then on.")
        if self.stretch.end_ns < self.asked.to_ns:
            end = self.shown(self.stretch.end_ns)
            said.append(f"The journal ends at {end}, earlier than asked.")
        said += [f"Records may be missing from {hole}." for hole in self.holes]
        if self.unreadable:
            noun = "record" if self.unreadable == 1 else "records"
            said.append(f"{self.unreadable} {noun} could not be read, and left out.")
        if self.stretch.length_ns < ENOUGH_NS:
            days = self.stretch.length_ns / DAY_NS
            said.append(f"The targets are meant for 30 days or more, these are {days:.2g}.")
        return said

    def shown(self, at_ns: int) -> str:
        """Return an instant on the plant's clock, with its zone."""
        return f"{self.local(at_ns):%Y-%m-%d %H:%M:%S %Z}"

    def local(self, at_ns: int) -> datetime:
        """Return an instant on the plant's clock."""
        return utc_from_ns(at_ns).astimezone(self.zone)


def covered(asked: Span, volumes: Sequence[VolumeFacts], first_ms: int | None) -> Stretch:
    """Return the part of a stretch that a journal covers.

    It begins with its first record. Of what was older than seven days then, Kafka may have dropped
    all but the newest record of each alarm.

    Parameters
    ----------
    asked
        The stretch.
    volumes
        Of the alarms topic, in their order.
    first_ms
        Timestamp of the oldest record; None if there is none.

    Raises
    ------
    HistoryMissing
        If it covers nothing of it.
    """
    if not volumes:
        raise HistoryMissing("expected an alarm journal, found no file of alarms in it")
    begun_ns, reached_ns = volumes[0].first_run_ns, volumes[-1].last_run_ns
    first_ns = begun_ns if first_ms is None else first_ms * 1_000_000
    begin_ns = max(asked.from_ns, first_ns, begun_ns - COMPACTED_AFTER_NS)
    end_ns = min(asked.to_ns, reached_ns)
    if begin_ns >= end_ns:
        first, last = (f"{utc_from_ns(at):%Y-%m-%d %H:%M:%S}Z" for at in (first_ns, reached_ns))
        raise HistoryMissing(f"expected alarms of {asked}, the journal has {first} to {last}")
    return Stretch(begin_ns, end_ns)
