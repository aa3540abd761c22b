"""The window rule over recorded cuts, written from its text for whole campaigns.

Shares no code with the product. Where ``tests.support.oracle`` replays every record by brute
force, this one looks each published window up: which events its cut lets it see, and what the
rule makes of them. From the records alone, cuts left aside, it says which windows must exist.
"""

import hashlib
import math
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.chaos.tape import CURRENT, MODALITIES, VIDEO, Chunk, Place, Tape
from tests.support.quality_oracle import Limits, SetBack
from tests.support.rule_numbers import Numbers

NUMBERS: Final = Numbers()
SPEC_ID: Final = hashlib.sha256(
    b'{"clip_frames":10,"frame_stride_ns":720000000,"hop_ns":1440000000,'
    b'"lookback_samples":240,"sample_period_ns":500000000}'
).hexdigest()[:12]
LONG_SILENCE: Final = NUMBERS.lookback
"""A furnace that is silent for longer may have been retired; it is for 125 s of the reader."""
BOUNDS: Final = {VIDEO: NUMBERS.video_bound, CURRENT: NUMBERS.current_bound}
Cut = Mapping[str, int | None]
"""Per modality the last offset handed on, or None."""


@dataclass
class Events:
    """Frames or samples of one furnace, sorted by time; of equal times the first one alone.

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
    """The admitted records of one modality of one furnace, in offset order.

    Attributes
    ----------
    chunks, offsets
        The records, and their offsets.
    lasts, ingests
        Newest event time and newest ingest time up to each record, ns.
    set_back
        Whether the source's clock stood before where it had been, after each record.
    """

    chunks: list[Chunk] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    ingests: list[int] = field(default_factory=list)
    set_back: list[bool] = field(default_factory=list)
    _clock: SetBack = field(default_factory=lambda: SetBack(Limits()))

    def add(self, chunk: Chunk) -> None:
        """Take the next record."""
        self.chunks.append(chunk)
        self.offsets.append(chunk.offset)
        self.lasts.append(max([chunk.last, *self.lasts[-1:]]))
        self.ingests.append(max([chunk.ingest, *self.ingests[-1:]]))
        self.set_back.append(self._clock.heard(chunk))

    def count(self, cut: int | None) -> int:
        """How many records a cut lets see."""
        return 0 if cut is None else bisect_right(self.offsets, cut)

    def in_order(self) -> list[Chunk]:
        """The records that nothing of their own modality had overtaken."""
        return [c for c, last in zip(self.chunks, self.lasts, strict=True) if c.last == last]


@dataclass
class Furnace:
    """All that was admitted of a furnace.

    When it was retired shows nowhere: the reader's clock decided. It can have been where it was
    silent for long; there a *spell* ends, and with it, perhaps, the claim of a source.

    Attributes
    ----------
    name
        Its id.
    streams, events
        What its records are per modality.
    spells
        Where a record stands, the number of its spell.
    """

    name: str
    streams: dict[str, Stream] = field(default_factory=dict)
    events: dict[str, Events] = field(default_factory=dict)
    spells: dict[Place, int] = field(default_factory=dict)

    def seen(self, cut: Cut) -> list[tuple[str, Stream, int]]:
        """Modality, records and number of those that a cut lets see, where there are any."""
        counts = [(m, stream, stream.count(cut[m])) for m, stream in self.streams.items()]
        return [found for found in counts if found[2]]

    def newest_chunks(self, cut: Cut) -> dict[str, Chunk]:
        """Per modality the last record that a cut lets see."""
        return {m: stream.chunks[count - 1] for m, stream, count in self.seen(cut)}

    def next_chunks(self, cut: Cut) -> dict[str, Chunk]:
        """Per modality the first record that a cut does not let see."""
        counts = {m: stream.count(cut[m]) for m, stream in self.streams.items()}
        return {
            m: s.chunks[counts[m]] for m, s in self.streams.items() if counts[m] < len(s.chunks)
        }

    def marks(self, cut: Cut) -> dict[str, float]:
        """How far the records before a cut carry the time of each modality."""
        marks = dict.fromkeys(MODALITIES, -math.inf)
        for modality, stream, count in self.seen(cut):
            marks[modality] = stream.lasts[count - 1] - BOUNDS[modality]
        return marks

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
        found = [events.newest(end, _offset(cut, m)) for m, events in self.events.items()]
        return max(time for time in found if time is not None)

    def is_silent(self, end: int, cut: Cut) -> bool:
        """Tell whether a cut lets see no event in a window's look-back."""
        found = [events.newest(end, _offset(cut, m)) for m, events in self.events.items()]
        return all(time is None or time <= end - NUMBERS.lookback for time in found)

    def forgettable(self, cut: Cut) -> set[str]:
        """Modalities that are silent in the spell of the newest record: perhaps without source."""
        spells = {m: self.spells[chunk.place] for m, chunk in self.newest_chunks(cut).items()}
        return {m for m, spell in spells.items() if spell < max(spells.values())}


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
    sources: dict[str, str | None]
    needed: Mapping[str, int | None]

    @property
    def modalities(self) -> list[str]:
        found = {VIDEO: self.clip, CURRENT: self.currents}
        return [modality for modality in MODALITIES if found[modality] is not None]


class Oracle:
    """All furnaces on a tape, and the records that nobody may admit.

    Parameters
    ----------
    tape
        What a campaign left.
    """

    def __init__(self, tape: Tape) -> None:
        self.refused: list[Chunk] = []
        letters = {letter.place for letter in tape.dead}
        self.furnaces: dict[str, Furnace] = {}
        records: dict[str, list[Chunk]] = {}
        for chunks in tape.chunks.values():
            for chunk in chunks:
                records.setdefault(chunk.furnace, []).append(chunk)
        for name, chunks in records.items():
            self.furnaces[name] = self._furnace(chunks, letters)

    def _furnace(self, chunks: list[Chunk], letters: Collection[Place]) -> Furnace:
        furnace = Furnace(chunks[0].furnace, spells=_spells(chunks))
        claims: dict[str, tuple[int, str]] = {}
        for chunk in sorted(chunks, key=lambda chunk: (chunk.modality, chunk.offset)):
            spell = furnace.spells[chunk.place]
            since, owner = claims.get(chunk.modality, (spell, chunk.source))
            if spell > since and chunk.place not in letters:
                owner = chunk.source
            if chunk.source == owner:
                claims[chunk.modality] = spell, owner
                furnace.streams.setdefault(chunk.modality, Stream()).add(chunk)
            else:
                self.refused.append(chunk)
        for modality in MODALITIES:
            stream = furnace.streams.get(modality, Stream())
            furnace.events[modality] = _events(stream.chunks)
        return furnace


def _spells(chunks: Iterable[Chunk]) -> dict[Place, int]:
    """The number of each record's spell: in the order in which they were sent."""
    spells: dict[Place, int] = {}
    number, before = 0, None
    for chunk in sorted(chunks, key=lambda chunk: (chunk.stamp, chunk.last)):
        if before is not None:
            pause = max(chunk.stamp - before.stamp, chunk.times[0] - before.last)
            number += pause > LONG_SILENCE
        spells[chunk.place], before = number, chunk
    return spells


def _events(chunks: Sequence[Chunk]) -> Events:
    first: dict[int, tuple[int, NDArray[Any]]] = {}
    for chunk in chunks:
        for time, value in zip(chunk.times, chunk.values, strict=True):
            first.setdefault(time, (chunk.offset, value))
    times = sorted(first)
    return Events(times, [first[t][0] for t in times], [first[t][1] for t in times])


def _offset(cut: Cut, modality: str) -> int:
    offset = cut[modality]
    return -1 if offset is None else offset


def window_at(furnace: Furnace, end: int, cut: Cut) -> Window:
    """What a window holds whose reading stopped at a cut."""
    clip, video_coverage = _clip(furnace.events[VIDEO], end, _offset(cut, VIDEO))
    currents, current_coverage = _currents(furnace.events[CURRENT], end, _offset(cut, CURRENT))
    seen = furnace.seen(cut)
    sources = {modality: stream.chunks[count - 1].source for modality, stream, count in seen}
    return Window(
        clip=clip,
        currents=currents,
        video_coverage=video_coverage,
        current_coverage=current_coverage,
        last_event=furnace.newest(end, cut),
        last_ingest=max(stream.ingests[count - 1] for _, stream, count in seen),
        sources={modality: sources.get(modality) for modality in MODALITIES},
        needed={m: _needed(furnace.events[m], m, end, cut) for m in MODALITIES},
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


def must_exist(furnace: Furnace, closed: Mapping[int, Cut]) -> Iterator[int]:
    """The window ends for which there must be a score, given those that there are and their cuts.

    From the first one on each, but for those without any event; how far they go beyond the last
    one that there is, the slower modality says. What came out of order may have come too late to
    speak against silence.
    """
    everything: Cut = dict.fromkeys(MODALITIES, sys.maxsize)
    ends = sorted(closed)
    first = closed[ends[0]] if ends else everything
    end = NUMBERS.first_end_after(furnace.name, furnace.earliest(first))
    last = max([*ends[-1:], min(furnace.marks(everything).values())])
    times: list[tuple[Any, ...]] = sorted(
        (time, chunk.modality, chunk.offset)
        for stream in furnace.streams.values()
        for chunk in stream.in_order()
        for time in chunk.times
    )
    while end <= last:
        index = bisect_right(ends, end - 1)
        cut = closed[ends[index]] if index < len(ends) else everything
        start, stop = (bisect_right(times, (time, "~")) for time in (end - NUMBERS.lookback, end))
        if any(offset <= _offset(cut, m) for _, m, offset in times[start:stop]):
            yield end
        end += NUMBERS.hop
