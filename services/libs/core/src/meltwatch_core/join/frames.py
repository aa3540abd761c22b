"""Frames of one furnace: the latest one per slot is kept, the clip is picked from the slots."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.timeline import FRAME, Timeline

_MAX_EVENTS: Final = 4096
"""Frames remembered within the reach of a window: about 290 a second for the published spec."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What a window sees of the video.

    Attributes
    ----------
    embeddings
        Shape ``(clip_frames, 64, d)``, float16, index 0 the oldest slot; None if unavailable.
    coverage
        Share of the slots that had a frame of their own, 0..1.
    """

    embeddings: NDArray[np.float16] | None
    coverage: float


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
    """

    def __init__(self, rules: JoinRules, phase_ns: int) -> None:
        self._rules = rules
        self._stride_ns = rules.spec.frame_stride_ns
        self._phase_ns = phase_ns
        self._latest: dict[int, tuple[int, NDArray[np.float16]]] = {}
        self.timeline = Timeline(FRAME)

    def add_frames(self, events: NDArray[Any], embeddings: NDArray[np.float16]) -> int:
        """Take the frames of one record and return the number of duplicates.

        Parameters
        ----------
        events
            Shape ``(m,)``, ``timeline.FRAME``.
        embeddings
            Shape ``(m, 64, d)``, float16; copied where kept.
        """
        new, duplicates = self.timeline.add_events(events)
        for index in np.flatnonzero(new):
            self._keep_latest(int(events["time_ns"][index]), embeddings[index])
        if self.timeline.events.size > _MAX_EVENTS:
            latest = [time_ns for time_ns, _ in self._latest.values()]
            self.timeline.keep(np.isin(self.timeline.times_ns, latest))
        return duplicates

    def _keep_latest(self, time_ns: int, embedding: NDArray[np.float16]) -> None:
        slot = self._slot(time_ns)
        held = self._latest.get(slot)
        if held is None or held[0] < time_ns:
            self._latest[slot] = (time_ns, embedding.copy())

    def _slot(self, time_ns: int) -> int:
        """Number of the first slot instant at or after a time."""
        return -((self._phase_ns - time_ns) // self._stride_ns)

    def forget_until(self, time_ns: int) -> None:
        """Drop the frames at or before an instant."""
        self.timeline.forget_until(time_ns)
        stale = [slot for slot, (held_ns, _) in self._latest.items() if held_ns <= time_ns]
        for slot in stale:
            del self._latest[slot]

    def clip(self, window_end_ns: int) -> Clip:
        """Return the clip of a window: slot by slot the latest frame of its stride.

        A missing slot repeats the nearest older filled slot, or the nearest newer one if there
        is none.
        """
        newest = self._slot(window_end_ns)
        count = self._rules.spec.clip_frames
        picked = [self._latest.get(newest - age) for age in reversed(range(count))]
        slots = [None if held is None else held[1] for held in picked]
        filled = [slot for slot in slots if slot is not None]
        coverage = len(filled) / count
        if len(filled) < self._rules.min_frames:
            return Clip(None, coverage)
        older = filled[0]
        repeated = []
        for slot in slots:
            older = older if slot is None else slot
            repeated.append(older)
        return Clip(np.stack(repeated), coverage)

    @property
    def size_bytes(self) -> int:
        """What the buffer holds."""
        pixels = sum(embedding.nbytes for _, embedding in self._latest.values())
        return pixels + self.timeline.events.nbytes

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what is held of the frames after an instant."""
        held = self._latest.values()
        return sum(embedding.nbytes for held_ns, embedding in held if held_ns > time_ns)
