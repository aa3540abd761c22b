"""What a furnace holds of both modalities: frames, samples, and when it last spoke."""

from bisect import bisect_right

from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.score import Modality

from meltwatch_core.join.frames import FrameBuffer, GreysOf
from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.samples import SampleBuffer
from meltwatch_core.join.timeline import Timeline

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
