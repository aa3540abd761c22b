"""Frames of one furnace: of each slot the latest is kept, and a clip is picked from the slots."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from meltwatch_schemas.bounds import MAX_NEWEST_FRAMES
from meltwatch_schemas.chunk import MAX_COUNT
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
