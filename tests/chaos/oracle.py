"""The window rule over recorded cuts, written from its text for whole campaigns.

Shares no code with the product. Where ``tests.support.oracle`` replays every record by brute
force, this one looks each published window up: which events its cut lets it see, and what the
rule makes of them. From the records alone, cuts left aside, it says which windows must exist.
"""

import hashlib
import math
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.chaos.tape import CURRENT, MODALITIES, VIDEO, Chunk, Tape
from tests.support.oracle import Numbers

NUMBERS: Final = Numbers()
SPEC_ID: Final = hashlib.sha256(
    b'{"clip_frames":10,"frame_stride_ns":720000000,"hop_ns":1440000000,'
    b'"lookback_samples":240,"sample_period_ns":500000000}'
).hexdigest()[:12]
RETIRE_AFTER: Final = NUMBERS.lookback + NUMBERS.idle_gap
BOUNDS: Final = {VIDEO: NUMBERS.video_bound, CURRENT: NUMBERS.current_bound}
Cut = Mapping[str, int | None]
"""Per modality the last offset handed on, or None."""


@dataclass
class Events:
    """Frames or samples of one life, sorted by time; of equal times the first one alone.

    Attributes
    ----------
    times, offsets
        Of each event, ns and record offset.
    values
        Of each event, ``[64, d]`` or ``[3]``.
    """

    times: list[int]
    offsets: list[int]
    values: list[NDArray[Any]]

    def seen(self, after: int, until: int, cut: int) -> list[int]:
        """Indices of the events in ``(after, until]`` that a cut lets see, oldest first."""
        first, last = bisect_right(self.times, after), bisect_right(self.times, until)
        return [index for index in range(first, last) if self.offsets[index] <= cut]

    def newest(self, until: int, cut: int) -> int | None:
        """The newest event time up to an instant that a cut lets see."""
        index = bisect_right(self.times, until) - 1
        while index >= 0 and self.offsets[index] > cut:
            index -= 1
        return self.times[index] if index >= 0 else None


@dataclass
class Stream:
    """The admitted records of one modality of one life, in offset order.

    Attributes
    ----------
    source
        Whose records they are.
    offsets
        Of each record.
    lasts, ingests
        Newest event time and newest ingest time up to each record, ns.
    """

    source: str
    offsets: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    ingests: list[int] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Take the next record."""
        self.offsets.append(chunk.offset)
        self.lasts.append(max([chunk.last, *self.lasts[-1:]]))
        self.ingests.append(max([chunk.ingest, *self.ingests[-1:]]))

    def count(self, cut: int | None) -> int:
        """How many records a cut lets see."""
        return 0 if cut is None else bisect_right(self.offsets, cut)


@dataclass
class Life:
    """A furnace from its first record to its retirement.

    Attributes
    ----------
    chunks
        Admitted records, in the order handed on.
    streams, events
        What they are per modality; events are known once the life is complete.
    retired
        Whether it ended within the campaign.
    newest_of_partition
        Newest event time of the partition when its last record was handed on.
    """

    chunks: list[Chunk] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
    events: dict[str, Events] = field(default_factory=dict)
    retired: bool = False
    newest_of_partition: int = 0

    def add(self, chunk: Chunk) -> None:
        """Take the next record that is admitted."""
        self.chunks.append(chunk)
        self.streams.setdefault(chunk.modality, Stream(chunk.source)).add(chunk)

    def takes(self, chunk: Chunk) -> bool:
        """Tell whether a record's source has, or may still claim, its modality."""
        stream = self.streams.get(chunk.modality)
        return stream is None or stream.source == chunk.source

    def has_begun(self, cut: Cut) -> bool:
        """Tell whether a cut lets see any of its records."""
        return any(stream.count(cut[modality]) for modality, stream in self.streams.items())

    def seen(self, cut: Cut) -> list[tuple[str, Stream, int]]:
        """Modality, records and number of those that a cut lets see, where there are any."""
        counts = [(m, stream, stream.count(cut[m])) for m, stream in self.streams.items()]
        return [found for found in counts if found[2]]

    def watermark(self, cut: Cut) -> float:
        """How far the records before a cut carry its time."""
        marks = dict.fromkeys(MODALITIES, -math.inf)
        for modality, stream, count in self.seen(cut):
            marks[modality] = stream.lasts[count - 1] - BOUNDS[modality]
        low, high = min(marks.values()), max(marks.values())
        return max(low, high - NUMBERS.idle_gap)

    def last_end(self) -> float:
        """No window later than this closes in this life."""
        if self.retired:
            return max(chunk.last for chunk in self.chunks) + NUMBERS.lookback - 1
        return self.watermark(dict.fromkeys(MODALITIES, sys.maxsize))

    def earliest(self, cut: Cut) -> int:
        """The earliest event time that a cut lets see."""
        return min(
            time
            for modality, events in self.events.items()
            for time, offset in zip(events.times, events.offsets, strict=True)
            if offset <= _offset(cut, modality)
        )

    def newest(self, end: int, cut: Cut) -> int:
        """The newest event time up to a window's end that a cut lets see."""
        found = [
            self.events[m].newest(end, _offset(cut, m)) for m in MODALITIES if m in self.events
        ]
        return max(time for time in found if time is not None)


@dataclass(frozen=True)
class Window:
    """What the rule says of one window at a cut.

    Attributes
    ----------
    clip, currents
        Tensors ``[10, 64, d]`` and ``[240, 3]``, oldest first, or None.
    video_coverage, current_coverage
        Shares of slots and of grid values.
    last_event, last_ingest
        Newest event up to the end, newest ingest time of all records seen.
    sources
        Per modality.
    needed
        Per modality the first offset needed, None if nothing was handed on.
    """

    clip: NDArray[np.float16] | None
    currents: NDArray[np.float32] | None
    video_coverage: float
    current_coverage: float
    last_event: int
    last_ingest: int
    sources: Mapping[str, str | None]
    needed: Mapping[str, int | None]

    @property
    def modalities(self) -> list[str]:
        found = {VIDEO: self.clip, CURRENT: self.currents}
        return [modality for modality in MODALITIES if found[modality] is not None]


class Oracle:
    """All lives on a tape, and the records that nobody may admit.

    Parameters
    ----------
    tape
        What a campaign left.
    """

    def __init__(self, tape: Tape) -> None:
        self.lives: dict[str, list[Life]] = {}
        self.refused: list[Chunk] = []
        for partition in tape.partitions:
            self._live_through(_merged(tape, partition))
        for life in self.all_lives():
            life.events = {modality: _events(life.chunks, modality) for modality in MODALITIES}

    def all_lives(self) -> Iterator[Life]:
        for lives in self.lives.values():
            yield from lives

    def life_at(self, furnace: str, cut: Cut) -> Life | None:
        """The life that a window was closed in: the one of the newest record before the cut."""
        found = None
        for life in self.lives.get(furnace, ()):
            if life.has_begun(cut):
                found = life
        return found

    def _live_through(self, chunks: Iterator[Chunk]) -> None:
        newest = 0
        alive: dict[str, Life] = {}
        for chunk in chunks:
            life = alive.get(chunk.furnace)
            if life and newest - life.newest_of_partition > RETIRE_AFTER:
                life.retired, life = True, None
            if life and not life.takes(chunk):
                self.refused.append(chunk)
                continue
            newest = max(newest, chunk.last)
            if life is None:
                life = alive[chunk.furnace] = Life()
                self.lives.setdefault(chunk.furnace, []).append(life)
            life.add(chunk)
            life.newest_of_partition = newest
        for life in alive.values():
            life.retired = newest - life.newest_of_partition > RETIRE_AFTER


def _merged(tape: Tape, partition: int) -> Iterator[Chunk]:
    """Both topics of a partition by event time; who comes too late comes right behind."""
    waiting = {m: list(reversed(tape.chunks.get((partition, m), ()))) for m in MODALITIES}
    newest = dict.fromkeys(MODALITIES, -1)
    while any(waiting.values()):
        heads = [modality for modality in MODALITIES if waiting[modality]]
        behind = [m for m in heads if waiting[m][-1].last < newest[m]]
        chosen = (behind or sorted(heads, key=lambda m: waiting[m][-1].last))[0]
        chunk = waiting[chosen].pop()
        newest[chosen] = max(newest[chosen], chunk.last)
        yield chunk


def _events(chunks: Sequence[Chunk], modality: str) -> Events:
    first: dict[int, tuple[int, NDArray[Any]]] = {}
    for chunk in chunks:
        if chunk.modality == modality:
            for time, value in zip(chunk.times, chunk.values, strict=True):
                first.setdefault(time, (chunk.offset, value))
    times = sorted(first)
    return Events(times, [first[t][0] for t in times], [first[t][1] for t in times])


def _offset(cut: Cut, modality: str) -> int:
    offset = cut[modality]
    return -1 if offset is None else offset


def window_at(life: Life, end: int, cut: Cut) -> Window:
    """What a window holds whose reading stopped at a cut."""
    clip, video_coverage = _clip(life.events[VIDEO], end, _offset(cut, VIDEO))
    currents, current_coverage = _currents(life.events[CURRENT], end, _offset(cut, CURRENT))
    seen = life.seen(cut)
    sources = {modality: stream.source for modality, stream, _ in seen}
    return Window(
        clip=clip,
        currents=currents,
        video_coverage=video_coverage,
        current_coverage=current_coverage,
        last_event=life.newest(end, cut),
        last_ingest=max(stream.ingests[count - 1] for _, stream, count in seen),
        sources={modality: sources.get(modality) for modality in MODALITIES},
        needed={m: _needed(life.events[m], m, end, cut) for m in MODALITIES},
    )


def _needed(events: Events, modality: str, end: int, cut: Cut) -> int | None:
    if cut[modality] is None:
        return None
    last = _offset(cut, modality)
    seen = events.seen(end - NUMBERS.reach(modality), end, last)
    return min((events.offsets[index] for index in seen), default=last + 1)


def _clip(events: Events, end: int, cut: int) -> tuple[NDArray[np.float16] | None, float]:
    slots: list[Any] = []
    for age in reversed(range(NUMBERS.clip_frames)):
        slot = end - age * NUMBERS.stride
        seen = events.seen(slot - NUMBERS.stride, slot, cut)
        slots.append(events.values[seen[-1]] if seen else None)
    filled = sum(slot is not None for slot in slots)
    coverage = filled / NUMBERS.clip_frames
    return (np.stack(_repeated(slots)) if filled >= NUMBERS.min_frames else None), coverage


def _currents(events: Events, end: int, cut: int) -> tuple[NDArray[np.float32] | None, float]:
    seen = events.seen(end - NUMBERS.reach(CURRENT), end, cut)
    phases = []
    for phase in range(3):
        present = [index for index in seen if not math.isnan(events.values[index][phase])]
        times = [events.times[index] for index in present]
        grid: list[Any] = []
        for age in reversed(range(NUMBERS.points)):
            point = end - age * NUMBERS.period
            newest = bisect_right(times, point) - 1
            held = newest >= 0 and times[newest] > point - NUMBERS.hold
            grid.append(events.values[present[newest]][phase] if held else None)
        phases.append(grid)
    count = sum(value is not None for grid in phases for value in grid)
    coverage = count / (3 * NUMBERS.points)
    if count < NUMBERS.min_values:
        return None, coverage
    return np.array([_repeated(grid) for grid in phases], np.float32).T, coverage


def _repeated(oldest_first: Sequence[Any]) -> list[Any]:
    """A missing value repeats the nearest older one, or the nearest newer one if there is none."""
    held = next(value for value in oldest_first if value is not None)
    filled = []
    for value in oldest_first:
        held = held if value is None else value
        filled.append(held)
    return filled


def window_id(furnace: str, end: int) -> str:
    """The id that a window must have."""
    return hashlib.sha256(f"{furnace}|{end}|{SPEC_ID}".encode()).digest()[:16].hex()


def must_exist(life: Life, first: int) -> Iterator[int]:
    """The window ends that a life closes from its first on, but those without any event."""
    times = sorted(time for events in life.events.values() for time in events.times)
    last, end = life.last_end(), first
    while end <= last:
        newest = bisect_right(times, end) - 1
        if newest >= 0 and times[newest] > end - NUMBERS.lookback:
            yield end
        end += NUMBERS.hop
