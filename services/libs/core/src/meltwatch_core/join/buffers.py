"""What a furnace holds of both modalities: frames, samples, and when it last spoke.

Of frames the latest one per slot is kept, and a clip is picked from the slots. Samples are held
on a window's grid.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from meltwatch_schemas.bounds import MAX_NEWEST_FRAMES
from meltwatch_schemas.chunk import MAX_COUNT
from meltwatch_schemas.current import PHASES, CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.score import Modality
from meltwatch_schemas.score_topics import NewestFrame
from numpy.typing import NDArray

from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.timeline import Timeline

_MAX_FRAMES: Final = 4096
"""Frames remembered within the reach of a window: about 290 a second for the published spec."""


class HeldFrame(NamedTuple):
    """A frame that is held.

    Attributes
    ----------
    event_ns
        Its event time.
    embedding
        Shape ``(64, d)``, float16.
    greys
        Mean grey of each patch, shape ``(64,)``, float64.
    offset
        Of its record.
    """

    event_ns: int
    embedding: NDArray[np.float16]
    greys: NDArray[np.float64]
    offset: int

    @property
    def size_bytes(self) -> int:
        """Memory of what is held of the picture, bytes."""
        return self.embedding.nbytes + self.greys.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What a window sees of the video.

    Attributes
    ----------
    frames
        One for each slot, index 0 the oldest; None if unavailable.
    coverage
        Share of the slots that had a frame of their own, 0..1.
    newest
        Where the frames of the last hop stand, oldest first, also while the clip is unavailable.
    """

    frames: Sequence[HeldFrame] | None
    coverage: float
    newest: tuple[NewestFrame, ...]


GreysOf = Callable[[NDArray[np.float16]], NDArray[np.float64]]
"""Returns the mean grey of each patch, shape ``(m, 64)``, of frames ``(m, 64, d)``."""
_NO_VALUES: Final = np.empty((MAX_COUNT, 0), np.float32)


class FrameBuffer:
    """Frames within the reach of the windows to come.

    Slots of successive windows coincide (the hop is a multiple of the stride), so only the
    latest frame of each stride can ever be used: the pixels of others are not held. Their times
    are, to tell duplicates, up to a bound beyond which superseded ones are forgotten.

    Parameters
    ----------
    rules
        Window geometry and availability.
    phase_ns
        The furnace's offset of window ends.
    greys_of
        Looks at the frames of a record once, for all windows that they are in.
    """

    def __init__(self, rules: JoinRules, phase_ns: int, greys_of: GreysOf) -> None:
        self._rules = rules
        self._greys_of = greys_of
        spec = rules.spec
        self._stride_ns = spec.frame_stride_ns
        per_hop = spec.hop_ns // spec.frame_stride_ns
        self._newest = min(per_hop, spec.clip_frames, MAX_NEWEST_FRAMES)
        self._phase_ns = phase_ns
        self._latest: dict[int, HeldFrame] = {}
        self.timeline = Timeline()

    def add_frames(
        self, times_ns: Sequence[int], offset: int, embeddings: NDArray[np.float16]
    ) -> int:
        """Take the frames of one record and return the number of duplicates.

        Parameters
        ----------
        times_ns
            Event times, strictly increasing.
        offset
            Of the record.
        embeddings
            Shape ``(m, 64, d)``, float16; where kept, it is copied unless it came alone.
        """
        new = self.timeline.add_events(times_ns, offset, _NO_VALUES[: len(times_ns)])
        is_alone = len(embeddings) == 1
        for index, time_ns in enumerate(times_ns):
            if new is None or new[index]:
                slot = self._slot(time_ns)
                held = self._latest.get(slot)
                if held is None or held.event_ns < time_ns:
                    one, greys = embeddings[index], self._greys_of(embeddings)[index]
                    if not is_alone:
                        one, greys = one.copy(), greys.copy()
                    self._latest[slot] = HeldFrame(time_ns, one, greys, offset)
        if len(self.timeline) > _MAX_FRAMES:
            latest = [held.event_ns for held in self._latest.values()]
            self.timeline.keep(np.isin(self.timeline.times_ns, latest))
        return 0 if new is None else new.size - int(np.count_nonzero(new))

    def _slot(self, time_ns: int) -> int:
        """Number of the first slot instant at or after a time."""
        return -((self._phase_ns - time_ns) // self._stride_ns)

    def forget_until(self, time_ns: int) -> int | None:
        """Drop the frames at or before an instant; return the time of the newest, ns."""
        stale = [slot for slot, held in self._latest.items() if held.event_ns <= time_ns]
        for slot in stale:
            del self._latest[slot]
        return self.timeline.forget_until(time_ns)

    def clip(self, window_end_ns: int) -> Clip:
        """Return the clip of a window: slot by slot the latest frame of its stride.

        A missing slot repeats the nearest older filled slot, or the nearest newer one if there
        is none.
        """
        newest = self._slot(window_end_ns)
        count = self._rules.spec.clip_frames
        picked = [self._latest.get(slot) for slot in range(newest - count + 1, newest + 1)]
        filled = [held for held in picked if held is not None]
        coverage = len(filled) / count
        last_hop = [held for held in picked[-self._newest :] if held is not None]
        places = tuple([NewestFrame(held.offset, held.event_ns) for held in last_hop])
        if len(filled) < self._rules.min_frames:
            return Clip(None, coverage, places)
        if len(filled) < count:
            filled = _repeated(picked, filled[0])
        return Clip(filled, coverage, places)

    @property
    def size_bytes(self) -> int:
        """What the buffer holds."""
        pictures = sum(held.size_bytes for held in self._latest.values())
        return pictures + self.timeline.size_bytes

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what is held of the frames after an instant."""
        return sum(held.size_bytes for held in self._latest.values() if held.event_ns > time_ns)


def _repeated(picked: Iterable[HeldFrame | None], first: HeldFrame) -> list[HeldFrame]:
    """Return the frames of a clip, for a missing one the one before, or else the first."""
    frames = []
    for held in picked:
        first = first if held is None else held
        frames.append(first)
    return frames


_MAX_SAMPLES: Final = 65_536
"""Samples held before they are thinned: about 520 a second for the published spec."""


@dataclass(frozen=True, slots=True, eq=False)
class CurrentGrid:
    """What a window sees of the currents.

    Attributes
    ----------
    values_a
        Shape ``(lookback_samples, 3)``, float32, amperes, index 0 the oldest grid point; None
        if unavailable.
    coverage
        Share of the grid values (points x phases) that a sample stood for, 0..1.
    own_a
        The same before missing values were repeated: NaN where no sample stood; None without any.
    """

    values_a: NDArray[np.float32] | None
    coverage: float
    own_a: NDArray[np.float32] | None


class SampleBuffer:
    """Samples within the reach of the windows to come.

    Parameters
    ----------
    rules
        Window geometry and availability.
    phase_ns
        The furnace's offset of window ends.
    """

    def __init__(self, rules: JoinRules, phase_ns: int) -> None:
        spec = rules.spec
        self._rules = rules
        self._phase_ns = phase_ns
        # Every grid interval of every window is a whole number of these cells.
        self._cell_ns = math.gcd(spec.hop_ns, spec.sample_period_ns, rules.sample_reach_ns)
        self._ages_ns = np.arange(spec.lookback_samples - 1, -1, -1) * spec.sample_period_ns
        self._turn_ns = min(spec.sample_period_ns, rules.sample_reach_ns)
        self.timeline = Timeline(PHASES)

    def add_samples(
        self, times_ns: Sequence[int], offset: int, values_a: NDArray[np.float32]
    ) -> int:
        """Take the samples of one record and return the number of duplicates.

        Parameters
        ----------
        times_ns
            Event times, strictly increasing.
        offset
            Of the record.
        values_a
            Shape ``(m, 3)``, amperes.
        """
        new = self.timeline.add_events(times_ns, offset, values_a)
        if len(self.timeline) > _MAX_SAMPLES:
            self._thin()
        return 0 if new is None else new.size - int(np.count_nonzero(new))

    def _thin(self) -> None:
        """Forget superseded samples: of each cell its newest and each phase's last value stay.

        Windows stay exact; a repetition of a forgotten sample is no longer counted as duplicate.
        """
        cells = -((self._phase_ns - self.timeline.times_ns) // self._cell_ns)
        present = ~np.isnan(self.timeline.values)
        chosen = _last_of_each(cells)
        for phase in range(PHASES):
            rows = np.flatnonzero(present[:, phase])
            chosen[rows[_last_of_each(cells[rows])]] = True
        self.timeline.keep(chosen)

    def forget_until(self, time_ns: int) -> int | None:
        """Drop the samples at or before an instant; return the time of the newest, ns."""
        return self.timeline.forget_until(time_ns)

    def grid(self, window_end_ns: int) -> CurrentGrid:
        """Return the grid of a window: per point and phase the latest value not older than reach.

        A missing value repeats the nearest older present one of its phase in the grid, or the
        nearest newer one if there is none.
        """
        count = self._ages_ns.size
        times_ns, values_a = self.timeline.newest(count, window_end_ns)
        if times_ns.size and self._are_in_turn(times_ns, values_a, window_end_ns):
            return self._filled_up(values_a)
        return self._looked_up(window_end_ns - self._ages_ns)

    def _are_in_turn(
        self, times_ns: NDArray[np.int64], values_a: NDArray[np.float32], window_end_ns: int
    ) -> bool:
        """Tell whether each of the newest samples stands for one point, and is whole.

        So it is with a meter that lost nothing: then no sample need be looked up.
        """
        # Read without a sign, what is before zero is beyond all.
        waited_ns = (window_end_ns - (times_ns + self._ages_ns[-times_ns.size :])).view(np.uint64)
        are_in_turn: bool = waited_ns.item(waited_ns.argmax()) < self._turn_ns
        return are_in_turn and not np.count_nonzero(np.isnan(values_a))

    def _filled_up(self, values_a: NDArray[np.float32]) -> CurrentGrid:
        """Return the grid of samples in turn; points before the first of them have none."""
        missing = self._ages_ns.size - len(values_a)
        if not missing:
            return CurrentGrid(values_a, 1.0, values_a)
        own_a = np.concatenate([np.full((missing, PHASES), np.nan, np.float32), values_a])
        coverage = values_a.size / own_a.size
        if values_a.size < self._rules.min_values:
            return CurrentGrid(None, coverage, own_a)
        filled_a = own_a.copy()
        filled_a[:missing] = values_a[0]
        return CurrentGrid(filled_a, coverage, own_a)

    def _looked_up(self, points_ns: NDArray[np.int64]) -> CurrentGrid:
        times_ns, values_a = self.timeline.times_ns, self.timeline.values
        if not times_ns.size:
            return CurrentGrid(None, 0.0, None)
        rows = times_ns.searchsorted(points_ns, "right") - 1
        oldest_ns = points_ns - self._rules.sample_reach_ns
        if rows[0] >= 0:
            held_a = values_a.take(rows, axis=0)
            is_present = times_ns.take(rows) > oldest_ns
            absent = is_present.size - np.count_nonzero(is_present)
            if not absent and not np.count_nonzero(np.isnan(held_a)):
                return CurrentGrid(held_a, 1.0, held_a)
        total = points_ns.size * PHASES
        latest = _last_present(~np.isnan(values_a))
        chosen = np.where(rows[:, None] >= 0, latest[rows], -1)
        present = (chosen >= 0) & (times_ns[chosen] > oldest_ns[:, None])
        count = int(np.count_nonzero(present))
        own_a = np.take_along_axis(values_a, chosen, axis=0)
        if count == total:
            return CurrentGrid(own_a, 1.0, own_a)
        own_a[~present] = np.nan
        if count < self._rules.min_values:
            return CurrentGrid(None, count / total, own_a if count else None)
        held = _last_present(present)
        filled = np.where(held >= 0, held, np.argmax(present, axis=0))
        return CurrentGrid(np.take_along_axis(own_a, filled, axis=0), count / total, own_a)

    @property
    def size_bytes(self) -> int:
        """What the buffer holds."""
        return self.timeline.size_bytes

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what is held of the samples after an instant."""
        return self.timeline.size_bytes_after(time_ns)


def _last_present(present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return, per row and column, the last row up to it that is present; -1 if there is none."""
    rows = np.arange(present.shape[0])[:, None]
    if present.all():
        return np.broadcast_to(rows, present.shape)
    last: NDArray[np.intp] = np.maximum.accumulate(np.where(present, rows, -1), axis=0)
    return last


def _last_of_each(cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each of the sorted cell numbers whether it is the last of its kind."""
    last: NDArray[np.bool_] = np.diff(cells, append=np.iinfo(np.int64).max) != 0
    return last


Chunk = EmbeddingChunk | CurrentChunk
"""A record of either input topic."""


class EventBuffers:
    """Frames and samples of one furnace within the reach of its windows to come.

    Parameters
    ----------
    rules
        Window geometry and availability.
    phase_ns
        The furnace's offset of window ends.
    greys_of
        Looks at the frames of a record.
    forgotten_ns
        The newest event time that is no longer held: a window that reaches back to it is not
        silent.
    """

    def __init__(
        self,
        rules: JoinRules,
        phase_ns: int,
        greys_of: GreysOf,
        forgotten_ns: int | None = None,
    ) -> None:
        self._rules = rules
        self._forgotten_ns = forgotten_ns
        self.frames = FrameBuffer(rules, phase_ns, greys_of)
        self.samples = SampleBuffer(rules, phase_ns)
        self._timelines: dict[Modality, Timeline] = {
            Modality.VIDEO: self.frames.timeline,
            Modality.CURRENT: self.samples.timeline,
        }

    def add_chunk(self, chunk: Chunk, offset: int, next_end_ns: int) -> int:
        """Take a record's events and return how many of them are duplicates.

        Parameters
        ----------
        chunk
            A valid chunk.
        offset
            Its offset.
        next_end_ns
            End of the next window: events beyond its reach are not held, and neither recognised
            nor counted as duplicates.
        """
        times_ns, stale = chunk.times_ns, 0
        reach_ns = next_end_ns - self._rules.reach_ns(chunk.modality)
        if times_ns[0] <= reach_ns:
            stale = bisect_right(times_ns, reach_ns)
            self._remember(times_ns[stale - 1])
            times_ns = times_ns[stale:]
        if isinstance(chunk, EmbeddingChunk):
            # A part of a record must not hold the whole of it.
            data = chunk.data[stale:].copy() if stale else chunk.data
            return self.frames.add_frames(times_ns, offset, data)
        return self.samples.add_samples(times_ns, offset, chunk.data[stale:])

    def forget_before(self, next_end_ns: int) -> None:
        """Drop the events beyond the reach of the next window."""
        reach_ns = self._rules.reach_ns
        self._remember(self.frames.forget_until(next_end_ns - reach_ns(Modality.VIDEO)))
        self._remember(self.samples.forget_until(next_end_ns - reach_ns(Modality.CURRENT)))

    def _remember(self, event_ns: int | None) -> None:
        if event_ns is not None and (self._forgotten_ns is None or event_ns > self._forgotten_ns):
            self._forgotten_ns = event_ns

    def newest_within(self, end_ns: int) -> int | None:
        """Return the newest event time in the look-back of a window, ns; None if it is silent."""
        newest_ns = self._forgotten_ns
        for timeline in self._timelines.values():
            held_ns = timeline.newest_until(end_ns)
            if newest_ns is None or (held_ns is not None and held_ns > newest_ns):
                newest_ns = held_ns
        silent = newest_ns is None or newest_ns <= end_ns - self._rules.spec.lookback_ns
        return None if silent else newest_ns

    def earliest_after(self, time_ns: int) -> int | None:
        """Return the first event time after an instant, ns, or None."""
        times_ns = [timeline.earliest_after(time_ns) for timeline in self._timelines.values()]
        return min((time_ns for time_ns in times_ns if time_ns is not None), default=None)

    def first_needed(self, modality: Modality, end_ns: int) -> int | None:
        """Return the lowest offset of the events that a window can use, or None."""
        reach_ns = end_ns - self._rules.reach_ns(modality)
        return self._timelines[modality].lowest_offset(reach_ns, end_ns)

    def lowest_offsets(self) -> dict[Modality, int]:
        """Return, per modality, the lowest offset of all events held."""
        offsets = {m: timeline.lowest_offset() for m, timeline in self._timelines.items()}
        return {modality: offset for modality, offset in offsets.items() if offset is not None}

    def size_bytes_after(self, modality: Modality, time_ns: int | None) -> int:
        """Return what is held of a modality's events after an instant; None means all."""
        buffer = self.frames if modality is Modality.VIDEO else self.samples
        return buffer.size_bytes_after(0 if time_ns is None else time_ns)

    @property
    def size_bytes(self) -> int:
        """Memory that the buffers hold, bytes."""
        return self.frames.size_bytes + self.samples.size_bytes
