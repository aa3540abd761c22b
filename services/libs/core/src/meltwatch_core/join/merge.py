"""Merge of one partition pair by event time, so that no topic runs far ahead in a backlog.

A record waits while the other topic's partition has earlier ones that are not read: until its next
record is there, or all of it is read as far as its end is known. Ties: embeddings first. A record
that is earlier than one before it in its own partition follows right behind that one; so does a
refused one, which has no event time. The join needs no particular order (``idleness`` waits for
what is late): this one keeps small what waits there.

Nothing goes ahead of a gap: records that Kafka has and that did not come, be it before the first
one that came or behind the last (ADR 0018). Offsets between two records that came may be missing,
as Kafka keeps markers and what it has deleted there.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.reading import OTHER, KnownEnds, Reading

_OVERDUE_NS: Final = 5 * NS_PER_S
"""Longer than a fetch takes: what has not come for so long was passed over."""
Payload = TypeVar("Payload")


@dataclass(frozen=True, slots=True)
class Entry(Generic[Payload]):
    """A record in the merge.

    Attributes
    ----------
    modality, offset
        Where it stands: topic and offset within the partition pair.
    last_event_ns
        Event time of its last frame or sample; None if it was refused and takes no part.
    size_bytes
        What it holds in memory.
    payload
        Whatever the reader needs back.
    """

    modality: Modality
    offset: int
    last_event_ns: int | None
    size_bytes: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class Gap:
    """Read these records from the broker: they were passed over, or are no records.

    Attributes
    ----------
    modality
        Whose partition.
    offsets
        Which; never empty.
    """

    modality: Modality
    offsets: range


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much of the topic that is ahead may wait before it is to be paused."""

    records: int = 64
    size_bytes: int = 4 * 1024 * 1024


class _Queue(Generic[Payload]):
    """Unread side of one partition: what waits, how far it was read, what is known of its end."""

    def __init__(self, position: int) -> None:
        self.waiting: deque[Entry[Payload]] = deque()
        self.size_bytes = 0
        self.position = position
        self.ends = KnownEnds()
        self._start: int | None = None
        self._missing = range(0)
        self._newest_offset = -1
        self._filled = range(0)
        self._overdue_end = 0
        self._moved: tuple[int, int] | None = None

    def push(self, entry: Entry[Payload]) -> None:
        if entry.offset == self._newest_offset or entry.offset in self._filled:
            # Faust repeats the last record after a seek, and may still bring what was filled: then
            # it comes, only later, and nothing is overdue.
            self._moved = None
            return
        if entry.offset < self.position:
            raise OutOfSequence(
                f"{entry.modality} partition: expected an offset of at least {self.position}, "
                f"got {entry.offset}; make a new ReadingOrder after a seek"
            )
        self.position = entry.offset + 1
        self._newest_offset = entry.offset
        self.size_bytes += entry.size_bytes
        self.waiting.append(entry)
        self._began(entry.offset)

    def starts_at(self, offset: int) -> None:
        self._start, self.position = offset, max(self.position, offset)
        if self.waiting:
            self._began(self.waiting[0].offset)

    def _began(self, offset: int) -> None:
        """See once, by the first record that comes, what is missing before it."""
        if self._start is not None:
            self._missing, self._start = range(self._start, offset), None

    def told(self, asked_ns: int, end_offset: int, *, comes: bool) -> None:
        """Take an end offset; what comes and does not move for long has been passed over."""
        self.ends.told(asked_ns, end_offset, self.taken)
        if not comes or self._moved is None or self._moved[0] != self.position:
            self._moved = (self.position, asked_ns)
        if asked_ns - self._moved[1] >= _OVERDUE_NS:
            self._overdue_end = end_offset

    def gap(self) -> range:
        """Offsets to be filled before this side can go on."""
        if not self.waiting:
            return range(self.position, self._overdue_end)
        return range(0) if self.waiting[0].offset < self._missing.start else self._missing

    def fill(self, offsets: range, entries: Sequence[Entry[Payload]]) -> None:
        later = (entry.offset for entry in self.waiting if entry.offset >= offsets.start)
        # What has come meanwhile ends the gap.
        stop = min([offsets.stop, *later])
        missed = [entry for entry in entries if entry.offset < stop]
        self.waiting = deque(sorted([*self.waiting, *missed], key=lambda entry: entry.offset))
        self.size_bytes += sum(entry.size_bytes for entry in missed)
        goes_on = offsets.start == self._filled.stop
        self._filled = range(self._filled.start if goes_on else offsets.start, stop)
        self._missing, self.position = range(stop, self._missing.stop), max(self.position, stop)
        self._start = None if self._start is None else stop
        self.ends.reached(self.taken)

    def pop(self) -> Entry[Payload]:
        entry = self.waiting.popleft()
        self.size_bytes -= entry.size_bytes
        self.ends.reached(self.taken)
        return entry

    @property
    def taken(self) -> int:
        """Up to which offset all was handed on."""
        return self.waiting[0].offset if self.waiting else self.position

    @property
    def next_ns(self) -> int:
        """Event time by which the head is merged; a refused one has none and goes first."""
        return self.waiting[0].last_event_ns or -1

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to be read, as far as the end is known."""
        end_offset = self.ends.end_offset
        return not self.waiting and end_offset is not None and self.position >= end_offset


class ReadingOrder(Generic[Payload]):
    """Hands on the records of a partition pair in an order that event time decides.

    Parameters
    ----------
    positions
        Per modality, the offset below which nothing comes.
    limits
        Beyond them the topic that is ahead is to be paused.
    """

    def __init__(
        self, positions: Mapping[Modality, int], limits: QueueLimits | None = None
    ) -> None:
        self._queues: dict[Modality, _Queue[Payload]] = {
            modality: _Queue(positions.get(modality, 0)) for modality in Modality
        }
        self._limits = limits or QueueLimits()
        self._ahead: frozenset[Modality] = frozenset()
        self._held_back: Modality | None = None

    def push(self, entry: Entry[Payload]) -> None:
        """Take a record as read.

        Raises
        ------
        OutOfSequence
            If its offset is below the position of its partition; a repetition of the last record,
            or of what filled a gap, is passed over.
        """
        self._queues[entry.modality].push(entry)

    def starts_at(self, modality: Modality, position: int) -> None:
        """Insist on every record from a position on; nothing was handed on yet."""
        self._queues[modality].starts_at(position)

    def position(self, modality: Modality) -> int:
        """Up to which offset a partition was read."""
        return self._queues[modality].position

    def told(self, asked_ns: int, ends: Mapping[Modality, int]) -> None:
        """Take where both partitions end.

        Parameters
        ----------
        asked_ns
            The reader's clock when this was asked; instants ascend.
        ends
            Per modality, the end offset.
        """
        for modality, end_offset in ends.items():
            queue = self._queues[modality]
            comes = not queue.waiting and modality is not self._held_back
            queue.told(asked_ns, end_offset, comes=comes)

    def reading(self, now_ns: int) -> Reading:
        """Return how far reading has come."""
        as_of = {m: queue.ends.as_of_ns for m, queue in self._queues.items()}
        known = {m: as_of_ns for m, as_of_ns in as_of.items() if as_of_ns is not None}
        return Reading(now_ns, known, self._held_back)

    def hold_back(self, modality: Modality | None) -> None:
        """Keep back the records of a modality, or of none: too much of it waits in the join."""
        self._held_back = modality

    def gap(self) -> Gap | None:
        """Return what must be filled before anything is handed on, or None.

        A long one comes in pieces.
        """
        for modality, queue in self._queues.items():
            if offsets := queue.gap()[: self._limits.records]:
                return Gap(modality, offsets)
        return None

    def fill(self, gap: Gap, entries: Sequence[Entry[Payload]]) -> None:
        """Take what the broker has of a gap, in offset order; the rest of it is no records."""
        self._queues[gap.modality].fill(gap.offsets, entries)

    def pop(self) -> Entry[Payload] | None:
        """Return the next record that may be handed on now, or None."""
        queue = None if self.gap() else self._next()
        return None if queue is None else queue.pop()

    @property
    def ahead(self) -> frozenset[Modality]:
        """The modalities to be paused: held back, or over the limits until half is handed on.

        Both only while the caller takes nothing.
        """
        self._ahead = frozenset(modality for modality in Modality if self._is_ahead(modality))
        return self._ahead

    @property
    def size_bytes(self) -> int:
        """What the waiting records hold in memory."""
        return sum(queue.size_bytes for queue in self._queues.values())

    def _is_ahead(self, modality: Modality) -> bool:
        queue, share = self._queues[modality], 2 if modality in self._ahead else 1
        return (
            modality is self._held_back
            or len(queue.waiting) * share > self._limits.records
            or queue.size_bytes * share > self._limits.size_bytes
        )

    def _next(self) -> "_Queue[Payload] | None":
        """Queue whose head may be handed on now."""
        heads = [m for m in Modality if m is not self._held_back and self._queues[m].waiting]
        if not heads:
            return None
        first = min(heads, key=lambda modality: self._queues[modality].next_ns)
        other = OTHER[first]
        may_go = len(heads) == len(Modality) or other is self._held_back
        return self._queues[first] if may_go or self._queues[other].is_read else None
