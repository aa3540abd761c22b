"""Merge of one partition pair by event time, so that no topic runs far ahead in a backlog.

A record waits while the other topic's partition has earlier ones that are not read: until its next
record is there, or all of it is read as far as its end is known. Ties: embeddings first. A record
that is earlier than one before it in its own partition follows right behind that one; so does a
refused one, which has no event time. The join needs no particular order (``watermark.Idleness``
waits for what is late): this one keeps small what waits there.

A partition's end offset is asked for about once a second. Once the position has reached an end
that was asked for at some instant, everything is read that the partition held at that instant.
``Reading`` says so: the join's only time beside event time.
"""

from bisect import insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from meltwatch_schemas.score import Modality

from meltwatch_core.join.entry import Entry
from meltwatch_core.join.errors import OutOfSequence

MODALITIES: Final = tuple(Modality)
OTHER: Final = {Modality.VIDEO: Modality.CURRENT, Modality.CURRENT: Modality.VIDEO}
"""Of each modality the other one."""
_MAX_ENDS: Final = 64
"""End offsets remembered while reading lags behind: a minute of them, then the last is replaced."""


class Reading(NamedTuple):
    """What the reader of a partition pair knows at an instant.

    Attributes
    ----------
    now_ns
        The reader's monotonic clock.
    read_as_of
        Per modality, the instant of this clock as of which all is read that its partition held;
        absent while nothing is known.
    held_back
        The modality whose topic we ourselves have paused because too much waits, or None.
    """

    now_ns: int
    read_as_of: Mapping[Modality, int] = MappingProxyType({})
    held_back: Modality | None = None

    def is_read_since(self, modality: Modality, since_ns: int) -> bool:
        """Tell whether all is read that a modality's partition held at an instant."""
        as_of_ns = self.read_as_of.get(modality)
        return as_of_ns is not None and as_of_ns >= since_ns

    @property
    def all_as_of_ns(self) -> int | None:
        """The instant as of which all is read in both topics, or None."""
        if len(self.read_as_of) < len(Modality):
            return None
        return min(self.read_as_of.values())


class KnownEnds:
    """What is known of the end of one partition.

    Attributes
    ----------
    end_offset
        The newest one; None before the first.
    as_of_ns
        Instant as of which all is read, or None.
    """

    def __init__(self) -> None:
        self.end_offset: int | None = None
        self.as_of_ns: int | None = None
        self._unreached: deque[tuple[int, int]] = deque()

    def told(self, asked_ns: int, end_offset: int) -> None:
        """Take an end offset that was asked for at an instant; instants ascend."""
        self.end_offset = end_offset
        if len(self._unreached) >= _MAX_ENDS:
            self._unreached.pop()
        self._unreached.append((asked_ns, end_offset))

    def reached(self, position: int) -> bool:
        """Take note that all below a position is read; tell whether ``as_of_ns`` has moved."""
        before_ns = self.as_of_ns
        while self._unreached and self._unreached[0][1] <= position:
            self.as_of_ns = self._unreached.popleft()[0]
        return self.as_of_ns is not before_ns


_OFFSET: Final = attrgetter("offset")
_NOTHING: Final = frozenset[Modality]()


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much of the topic that is ahead may wait before it must be paused."""

    records: int = 64
    size_bytes: int = 4 * 1024 * 1024


class _Queue:
    """One partition: what waits of it, how far it was read, what is known of its end."""

    def __init__(self, modality: Modality, position: int) -> None:
        self.modality = modality
        self.waiting: deque[Entry] = deque()
        self.size_bytes = 0
        self.position = position
        self.handed_on = position
        self.ends = KnownEnds()

    def push(self, entry: Entry) -> None:
        if entry.offset < self.handed_on:
            raise OutOfSequence(
                f"{entry.modality} partition: expected an offset of at least {self.handed_on}, "
                f"got {entry.offset}; make a new ReadingOrder after a seek"
            )
        if entry.offset >= self.position:
            self.waiting.append(entry)
            self.position = entry.offset + 1
        else:
            insort(self.waiting, entry, key=_OFFSET)
        self.size_bytes += entry.size_bytes

    def pop(self) -> Entry:
        entry = self.waiting.popleft()
        self.size_bytes -= entry.size_bytes
        self.handed_on = entry.offset + 1
        return entry

    @property
    def taken(self) -> int:
        """Up to which offset all was handed on."""
        return self.waiting[0].offset if self.waiting else self.position

    @property
    def next_ns(self) -> int:
        """Event time by which the head is merged; a refused one has none and goes first."""
        last_event_ns = self.waiting[0].last_event_ns
        return -1 if last_event_ns is None else last_event_ns

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to be read, as far as the end is known."""
        end_offset = self.ends.end_offset
        return not self.waiting and end_offset is not None and self.position >= end_offset


class ReadingOrder:
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
        self._queues = {m: _Queue(m, positions.get(m, 0)) for m in MODALITIES}
        self._pair = tuple(self._queues.values())
        self._limits = limits or QueueLimits()
        self._ahead = _NOTHING
        self._held_back: Modality | None = None
        self._read_as_of: Mapping[Modality, int] = {}

    def push(self, entry: Entry) -> None:
        """Take a record that was read; each offset comes once.

        Raises
        ------
        OutOfSequence
            If a later record of its partition was handed on already.
        """
        self._queues[entry.modality].push(entry)

    def read_until(self, modality: Modality, offset: int) -> None:
        """Note that a partition holds no more records below an offset."""
        queue = self._queues[modality]
        queue.position = max(queue.position, offset)
        self._reached(queue)

    def head(self, modality: Modality) -> int | None:
        """Return the offset of the next record of a partition that waits, or None."""
        waiting = self._queues[modality].waiting
        return waiting[0].offset if waiting else None

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
            queue.ends.told(asked_ns, end_offset)
            self._reached(queue)

    def reading(self, now_ns: int) -> Reading:
        """Return how far reading has come."""
        return Reading(now_ns, self._read_as_of, self._held_back)

    def hold_back(self, modality: Modality | None) -> None:
        """Hold back the records of a modality, or of none: too much of it waits in the join."""
        self._held_back = modality

    def pop(self) -> Entry | None:
        """Return the next record that may be handed on now, or None."""
        queue = self._next()
        if queue is None:
            return None
        entry = queue.pop()
        self._reached(queue)
        return entry

    @property
    def ahead(self) -> frozenset[Modality]:
        """The modalities to be paused: held back, or over the limits until half is handed on.

        Both only while the caller takes nothing.
        """
        ahead = [queue.modality for queue in self._pair if self._is_ahead(queue)]
        self._ahead = frozenset(ahead) if ahead else _NOTHING
        return self._ahead

    @property
    def size_bytes(self) -> int:
        """What the waiting records hold in memory."""
        return sum(queue.size_bytes for queue in self._queues.values())

    def _is_ahead(self, queue: _Queue) -> bool:
        # Paused at the limit, resumed at half of it: no pause for each record.
        share = 2 if queue.modality in self._ahead else 1
        return (
            queue.modality is self._held_back
            or len(queue.waiting) * share > self._limits.records
            or queue.size_bytes * share > self._limits.size_bytes
        )

    def _next(self) -> _Queue | None:
        """Return the queue whose head may be handed on now."""
        first, other = self._pair
        is_other_ready = self._is_ready(other)
        if not self._is_ready(first):
            if not is_other_ready:
                return None
            first, other = other, first
        elif is_other_ready:
            return first if first.next_ns <= other.next_ns else other
        # The other topic may still hold an earlier record.
        may_go = other.modality is self._held_back or other.is_read
        return first if may_go else None

    def _is_ready(self, queue: _Queue) -> bool:
        return bool(queue.waiting) and queue.modality is not self._held_back

    def _reached(self, queue: _Queue) -> None:
        """Note up to which instant all of a partition is read, if that has changed."""
        if queue.ends.reached(queue.taken):
            as_of_ns = {m: each.ends.as_of_ns for m, each in self._queues.items()}
            self._read_as_of = {m: ns for m, ns in as_of_ns.items() if ns is not None}
