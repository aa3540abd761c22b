"""What the alarm manager needs from outside, and the changes that it passes to the view."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meltwatch_core.alarms.ports import Commit, Place, Written
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

Settlement = Callable[[Written], Mapping[Place, Commit]]
"""Returns what to commit, once it is known where the transaction's records stand."""


class Election(Protocol):
    """A candidacy for being the active manager."""

    async def leads(self) -> bool:
        """Wait a moment; tell whether this process is the active manager."""
        ...


class Ledger(Protocol):
    """Writes records and commits in one transaction, as the only one who can."""

    async def write(self, records: Sequence[OutgoingRecord], settle: Settlement) -> None:
        """Write all of it or nothing.

        Raises
        ------
        TransientError
            If nothing was written, or nobody knows whether it was.
        """


class Intake(Protocol):
    """Reads what the manager judges, and what managers wrote before.

    Each of its questions fails once a topic is not the one that it began with.
    """

    @property
    def topic_ids(self) -> Mapping[str, str]:
        """What the broker calls each topic beside its name: new each time it is made."""
        ...

    async def committed(self) -> Mapping[Place, Commit | None]:
        """Return every partition that is to be read, with what has been committed for it."""
        ...

    def whole(self, topic: Topic) -> AsyncIterator[RawRecord]:
        """Read a topic from its beginning to its present end, committed records only."""
        ...

    def tail(self, topic: Topic, most: int) -> AsyncIterator[RawRecord]:
        """Read what stands at the end of a topic, at most so many offsets."""
        ...

    async def read_from(
        self, offsets: Mapping[Place, int | None], judged: Mapping[Place, int]
    ) -> Mapping[Place, range]:
        """Start reading at the given offsets, or with None at the present end.

        Returns
        -------
        What stands there to be read. It starts later than asked where retention has overtaken an
        offset.
        """
        ...

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records of any partition; none after the timeout."""
        ...

    async def ends(self) -> Mapping[Place, int]:
        """Ask the broker how far the scores go at present.

        Raises
        ------
        TransientError
            If a partition's leader does not answer.
        """
        ...

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        """Tell whether reading has passed these ends."""
        ...


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """A record of the alarms topic for the view.

    Attributes
    ----------
    alarm_id
        The key.
    record
        None where the alarm point was decommissioned (a tombstone).
    value
        The record's JSON bytes, as they stand in the topic.
    offset
        Where it stands.
    """

    alarm_id: str
    record: AlarmRecord | None
    value: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class FurnaceChange:
    """A newer verdict on a furnace for the view."""

    score: WindowScore
    unregistered: bool


class View(Protocol):
    """The read model: everything in it can be made again from the topics."""

    async def open(self, end: int) -> int:
        """Make the view present; return the offset of the alarms topic that it has reached.

        Parameters
        ----------
        end
            Present end of the alarms topic; a view that is further is made anew.

        Raises
        ------
        TransientError
            If its server does not answer.
        """
        ...

    async def is_present(self) -> bool:
        """Tell whether the view is still there, or was flushed away."""
        ...

    async def apply(self, changes: Sequence[AlarmChange | FurnaceChange]) -> bool:
        """Apply changes in order, each whole or not at all; False if the view has vanished.

        What the view knows already, or knows newer, changes nothing.
        """
        ...


class ViewFeed(Protocol):
    """Reads what the view is made from; fails once a topic is not the one it began with."""

    @property
    def alarms_id(self) -> str | None:
        """What the broker calls the alarms topic beside its name; None if it does not say."""
        ...

    async def end(self) -> int:
        """Return the present end of the alarms topic."""
        ...

    async def read_from(self, alarms_offset: int) -> None:
        """Start reading alarms at an offset, and scores a little before their ends."""

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records; none after the timeout."""
        ...

    async def has_caught_up(self) -> bool:
        """Tell whether reading has reached the end that the alarms topic had at the beginning."""
        ...
