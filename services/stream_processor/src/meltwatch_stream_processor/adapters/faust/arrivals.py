"""What Faust brings of one partition, repeats, and passes over; see ADR 0018.

In a rebalance Faust drops what it has fetched, and after a seek it brings its last record again.
So two kinds of gap are looked for: between the offset from which reading starts and the first
record that comes, and before the partition's end, when nothing comes for long. Offsets between two
records that came may be missing: Kafka keeps markers there, and what it has deleted.
"""

from collections.abc import Sequence
from typing import Final

from meltwatch_core.join.errors import OutOfSequence
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.window import NS_PER_S

_OVERDUE_NS: Final = 5 * NS_PER_S
"""Longer than a fetch takes: a record that has not come after this was passed over."""
_PIECE: Final = 64
"""A long gap is filled in pieces of this many offsets, each handed on before the next."""


class FaustArrivals:
    """Keeps account of one partition from assignment to revocation.

    Attributes
    ----------
    position
        The offset below which every record has come or was missing.
    """

    def __init__(self) -> None:
        self.position = 0
        self._first: int | None = None
        self._newest = -1
        self._start: int | None = None
        self._missing = range(0)
        self._asked = range(0)
        self._filled = range(0)
        self._overdue_end = 0
        self._stood_still: tuple[int, int] | None = None

    def came(self, offset: int) -> bool:
        """Note a record; tell whether it is new.

        Raises
        ------
        OutOfSequence
            If its offset goes back in another way than Faust does.
        """
        if offset == self._newest or offset in self._filled:
            self._stood_still = None  # it comes, only later
            return False
        if offset < self.position:
            raise OutOfSequence(f"expected an offset of at least {self.position}, got {offset}")
        self.position, self._newest = offset + 1, offset
        if offset in self._asked:
            self._asked = range(self._asked.start, offset)
        if self._first is None:
            self._first = offset
            self._see_what_is_missing()
        return True

    def begins(self, offset: int) -> None:
        """Expect every record from an offset on."""
        self._start, self.position = offset, max(self.position, offset)
        self._see_what_is_missing()

    def _see_what_is_missing(self) -> None:
        if self._start is not None and self._first is not None:
            self._missing = range(self._start, self._first)

    def told(self, asked_ns: int, end_offset: int, *, awaited: bool) -> None:
        """Take the partition's end; a record that is awaited and does not come was passed over.

        Parameters
        ----------
        asked_ns
            The reader's clock when this was asked.
        end_offset
            The offset behind the last record.
        awaited
            Whether the next record could have come: none waits, and nobody keeps it back.
        """
        before = self._stood_still
        if not awaited or before is None or before[0] != self.position:
            before = self._stood_still = (self.position, asked_ns)
        if asked_ns - before[1] >= _OVERDUE_NS:
            self._overdue_end = end_offset

    def missing(self, head: int | None) -> range:
        """Return the offsets to be read from the broker before anything else is handed on.

        Parameters
        ----------
        head
            Offset of the next record that waits to be handed on; None if none does.
        """
        if head is None:
            self._asked = range(self.position, self._overdue_end)[:_PIECE]
        elif head < self._missing.start:
            self._asked = range(0)  # the piece before is not handed on yet
        else:
            self._asked = self._missing[:_PIECE]
        return self._asked

    def filled(self, records: Sequence[RawRecord]) -> list[RawRecord]:
        """Take what the broker has of the missing offsets; return what has not come meanwhile."""
        start, stop = self._asked.start, self._asked.stop
        first = self._filled.start if start == self._filled.stop else start
        self._filled = range(first, stop)
        self._missing = range(stop, max(self._missing.stop, stop))
        self.position = max(self.position, stop)
        self._start = stop
        return [record for record in records if record.offset < stop]
