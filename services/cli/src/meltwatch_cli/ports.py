"""What a redrive asks of Kafka."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.redrive import RedriveNote


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of one record that was sent.

    Attributes
    ----------
    offset
        Where it stands, None if it was not delivered.
    failure
        Why not.
    is_certain
        Whether it is certain that it was not delivered.
    """

    offset: int | None
    failure: str = ""
    is_certain: bool = True


class Letters(Protocol):
    """The dead letters topic."""

    def take(self, ids: Sequence[int]) -> Iterator[RawRecord]:
        """Yield the letters with these ids, which ascend; those that are gone are left out."""
        ...


class RedriveLog(Protocol):
    """The notes of all redrives, in one order that everybody sees alike."""

    def append(self, notes: Iterable[RedriveNote]) -> None:
        """Write notes; returns once they stand."""
        ...

    def news(self) -> Iterator[RedriveNote]:
        """Yield the notes that were written since the last call, up to the present end."""
        ...


class Targets(Protocol):
    """The topics that records are sent to."""

    def partition_of(self, record: RawRecord) -> int | None:
        """Return the partition that a record belongs to, None if its topic is gone."""
        ...

    def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset that comes next in a partition."""
        ...

    def send(self, records: Sequence[RawRecord]) -> list[Sending]:
        """Send records into the partitions that they name, each with its own timestamp."""
        ...

    def sent_since(
        self, topic: str, partition: int, offset: int, until_ms: int | None
    ) -> Mapping[str, int] | None:
        """Return the records that were sent again: offset by letter.

        Parameters
        ----------
        topic, partition, offset
            Where to begin.
        until_ms
            Wall clock after which none can have been written, ms UTC; None if nothing is known.

        Returns
        -------
        None if the topic no longer holds that offset.
        """
        ...
