"""Merge of one partition pair by event time, so that catching up reads as live reading does.

A record waits while the other topic's partition may still hold an earlier one: until that
partition's next record is known and not earlier, or until it has been read to its end, asked for
after the record came. Ties: embeddings first. A record earlier than one before it in its own
partition is handed on right behind that one, and a refused record (without event time) takes
no part: both wait for nothing. The class asks questions and keeps queues; it reads nothing.

Nothing goes ahead of a gap: records that Kafka has and that did not come, be it before the first
one that came or behind the last (ADR 0018). Offsets between two records that came may be missing,
as Kafka keeps markers and what it has deleted there.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from meltwatch_schemas.score import Modality

from meltwatch_stream_processor.errors import OutOfSequence

_OTHER: Final = {Modality.VIDEO: Modality.CURRENT, Modality.CURRENT: Modality.VIDEO}

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
class EndQuestion:
    """Ask the broker for the end offset of a modality's partition, now or later, never from cache.

    Attributes
    ----------
    modality
        Whose partition.
    asked_after
        Number of arrivals before the question: the answer holds for these records.
    """

    modality: Modality
    asked_after: int


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
        self.waiting: deque[tuple[int, Entry[Payload]]] = deque()
        self.size_bytes = 0
        self.start: int | None = None
        self.missing = range(0)
        self.position = position
        self.newest_offset = -1
        self.newest_handed_ns = -1
        self.asked_after = -1
        self.end_offset = 0
        self.overdue_end = 0
        self.filled = range(0)

    def push(self, arrival: int, entry: Entry[Payload]) -> None:
        if entry.offset == self.newest_offset or entry.offset in self.filled:
            # Faust repeats the last record after a seek, and may still bring what was filled.
            return
        if entry.offset < self.position:
            raise OutOfSequence(
                f"{entry.modality} partition: expected an offset of at least {self.position}, "
                f"got {entry.offset}; make a new ReadingOrder after a seek"
            )
        self.position = entry.offset + 1
        self.newest_offset = entry.offset
        self.size_bytes += entry.size_bytes
        self.waiting.append((arrival, entry))
        self._began(entry.offset)

    def starts_at(self, offset: int) -> None:
        self.start, self.position = offset, max(self.position, offset)
        if self.waiting:
            self._began(self.waiting[0][1].offset)

    def _began(self, offset: int) -> None:
        """See once, by the first record that comes, what is missing before it."""
        if self.start is not None:
            self.missing, self.start = range(self.start, offset), None

    def gap(self) -> range:
        """Offsets to be filled before this side can go on."""
        if not self.waiting:
            return range(self.position, self.overdue_end)
        return range(0) if self.waiting[0][1].offset < self.missing.start else self.missing

    def fill(self, arrival: int, offsets: range, entries: Sequence[Entry[Payload]]) -> None:
        later = (entry.offset for _, entry in self.waiting if entry.offset >= offsets.start)
        # What has come meanwhile ends the gap.
        stop = min([offsets.stop, *later])
        missed = [(arrival, entry) for entry in entries if entry.offset < stop]
        self.waiting = deque(sorted([*self.waiting, *missed], key=lambda item: item[1].offset))
        self.size_bytes += sum(entry.size_bytes for _, entry in missed)
        goes_on = offsets.start == self.filled.stop
        self.filled = range(self.filled.start if goes_on else offsets.start, stop)
        self.missing, self.position = range(stop, self.missing.stop), max(self.position, stop)
        self.start = None if self.start is None else stop

    def pop(self) -> Entry[Payload]:
        _, entry = self.waiting.popleft()
        self.size_bytes -= entry.size_bytes
        if entry.last_event_ns is not None:
            self.newest_handed_ns = max(self.newest_handed_ns, entry.last_event_ns)
        return entry

    def event_ns(self) -> int | None:
        """Event time by which the head is merged; None if it waits for nothing."""
        last_event_ns = self.waiting[0][1].last_event_ns
        behind = last_event_ns is not None and last_event_ns < self.newest_handed_ns
        return None if behind else last_event_ns

    def read_to_end_after(self, arrival: int) -> bool:
        return self.asked_after >= arrival and self.position >= self.end_offset


class ReadingOrder(Generic[Payload]):
    """Hands on the records of a partition pair in one order that event time decides.

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
        self._arrivals = 0
        self._ahead: frozenset[Modality] = frozenset()

    def push(self, entry: Entry[Payload]) -> None:
        """Take a record as read.

        Raises
        ------
        OutOfSequence
            If its offset is below the position of its partition; a repetition of the last record,
            or of what filled a gap, is passed over.
        """
        self._arrivals += 1
        self._queues[entry.modality].push(self._arrivals, entry)

    def starts_at(self, modality: Modality, position: int) -> None:
        """Insist on every record from a position on; nothing was handed on yet."""
        self._queues[modality].starts_at(position)

    def position(self, modality: Modality) -> int:
        """Up to which offset a partition was read."""
        return self._queues[modality].position

    def overdue(self, modality: Modality, position: int, end_offset: int) -> None:
        """Take note that a partition has for long been read up to a position only.

        What the broker has behind it is a gap, if still nothing of it has come.

        Parameters
        ----------
        position
            How far it was read when the wait began.
        end_offset
            How far it goes.
        """
        queue = self._queues[modality]
        if queue.position == position:
            queue.overdue_end = end_offset

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
        self._arrivals += 1
        self._queues[gap.modality].fill(self._arrivals, gap.offsets, entries)

    def pop(self) -> Entry[Payload] | None:
        """Return the next record that may be handed on now, or None."""
        queue = None if self.gap() else self._next()
        return None if queue is None else queue.pop()

    def question(self) -> EndQuestion | None:
        """Return the end offset that a waiting record depends on, or None.

        The same question is returned until it is answered: ask one at a time.
        """
        for modality, queue in self._queues.items():
            silent = self._queues[_OTHER[modality]]
            if queue.waiting and not silent.waiting and silent.asked_after < queue.waiting[0][0]:
                return EndQuestion(_OTHER[modality], self._arrivals)
        return None

    def answer(self, question: EndQuestion, end_offset: int) -> None:
        """Take the end offset that the broker gave after the question was asked."""
        queue = self._queues[question.modality]
        if question.asked_after > queue.asked_after:
            queue.asked_after, queue.end_offset = question.asked_after, end_offset

    @property
    def ahead(self) -> frozenset[Modality]:
        """The modalities to be paused: over the limits, until half of them is handed on.

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
            len(queue.waiting) * share > self._limits.records
            or queue.size_bytes * share > self._limits.size_bytes
        )

    def _next(self) -> "_Queue[Payload] | None":
        """Queue whose head may be handed on now."""
        heads = [queue for queue in self._queues.values() if queue.waiting]
        for queue in heads:
            if queue.event_ns() is None:
                return queue
        if len(heads) == len(Modality):
            return min(heads, key=lambda queue: queue.event_ns() or 0)
        for modality, queue in self._queues.items():
            if queue.waiting and self._queues[_OTHER[modality]].read_to_end_after(
                queue.waiting[0][0]
            ):
                return queue
        return None
