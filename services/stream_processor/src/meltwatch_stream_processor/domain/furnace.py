"""One life of one furnace: watermark, closing and windows, from first record to retirement."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from meltwatch_schemas.score import Cut, Modality, Sources

from meltwatch_stream_processor.domain.acknowledgement import Offsets
from meltwatch_stream_processor.domain.aligned_window import (
    LOW_CURRENT_COVERAGE,
    LOW_VIDEO_COVERAGE,
    NO_CURRENT,
    NO_VIDEO,
    AlignedWindow,
)
from meltwatch_stream_processor.domain.buffers import Chunk, EventBuffers, modality_of
from meltwatch_stream_processor.domain.features import FeatureExtractor
from meltwatch_stream_processor.domain.restore import Footing
from meltwatch_stream_processor.domain.rules import JoinRules
from meltwatch_stream_processor.domain.source_watch import SourceWatch
from meltwatch_stream_processor.domain.watermark import Watermark


@dataclass(frozen=True, slots=True)
class JoinContext:
    """What all furnaces of a partition share.

    Attributes
    ----------
    partition
        Number of the partition pair.
    encoder_id
        The encoder that the ensemble serves.
    features
        Computes a window's features.
    rules
        The window rule's numbers.
    """

    partition: int
    encoder_id: str
    features: FeatureExtractor
    rules: JoinRules


@dataclass(slots=True)
class Closing:
    """Windows that closed together.

    Attributes
    ----------
    windows
        Those to publish, in order.
    skipped
        Number of those that are not, for want of any event.
    needed
        Lowest offsets of the events that these windows or later ones may use.
    """

    windows: list[AlignedWindow] = field(default_factory=list)
    skipped: int = 0
    needed: Offsets = field(default_factory=dict)


class Furnace:
    """The join of one furnace.

    Parameters
    ----------
    context
        What all furnaces of the partition share.
    furnace_id
        Whose windows.
    closed_ns
        Last window end closed in an earlier life, or None.
    footing
        What a life that is read again goes on from, or None.
    """

    def __init__(
        self,
        context: JoinContext,
        furnace_id: str,
        closed_ns: int | None,
        footing: Footing | None = None,
    ) -> None:
        self._context = context
        self._spec = context.rules.spec
        self._watermark = Watermark(context.rules)
        self._watch = SourceWatch(context.rules, context.features)
        self._buffers = EventBuffers(
            context.rules,
            self._spec.phase_ns(furnace_id),
            footing.last_event_ns if footing else None,
        )
        self._earliest_ns: int | None = None
        self._newest_ns = footing.last_event_ns if footing else 0
        self._last_ingest_ns = 0
        self._has_closed = footing is not None
        # Modalities with a record that is no history.
        self._moved_on: set[Modality] = set()
        self.furnace_id = furnace_id
        self.closed_ns = closed_ns
        self.sources: dict[Modality, str] = {}

    @property
    def watermark_ns(self) -> int | None:
        """Windows up to this instant are closed; None before the first record."""
        return self._watermark.time_ns

    @property
    def has_closed_all(self) -> bool:
        """Whether no window is left before newest event + look-back: only retirement does that."""
        return self.closed_ns is not None and self._end_after(self.closed_ns) > self._last_end_ns

    @property
    def size_bytes(self) -> int:
        """What the buffers hold."""
        return self._buffers.size_bytes

    def is_late(self, chunk: Chunk) -> bool:
        """Tell whether any event lies at or before the last closed window end."""
        return self.closed_ns is not None and int(chunk.event_times_ns[0]) <= self.closed_ns

    def admit(self, chunk: Chunk, offset: int) -> int:
        """Take a record and return how many of its events are duplicates."""
        self._moved_on.add(modality_of(chunk))
        return self._take(chunk, offset)

    def admit_again(self, chunk: Chunk, offset: int, footing: Footing) -> None:
        """Take a record that is history: it fills the buffers, published windows say the rest."""
        self._take(chunk, offset)
        self.go_on_from(footing)

    def go_on_from(self, footing: Footing) -> None:
        """Take what the furnace's published windows know.

        The records that they know it from may be acknowledged, or of an earlier life. A modality
        that has gone on since knows better: the other topic may be read again later than before.
        """
        still = [modality for modality in Modality if modality not in self._moved_on]
        for modality in still:
            self.sources.pop(modality, None)
        self.sources.update({m: footing.sources[m] for m in still if m in footing.sources})
        # A score need not tell the states: then what the records themselves say stays.
        told = {m: footing.source_states.get(m) for m in still}
        self._watch.take_up(
            {m: state for m, state in told.items() if state or m not in footing.sources}
        )
        since_ns = self._last_ingest_ns if self._moved_on else 0
        self._last_ingest_ns = max(since_ns, footing.last_ingest_ns)

    def _take(self, chunk: Chunk, offset: int) -> int:
        first_ns, last_ns = int(chunk.event_times_ns[0]), chunk.last_event_ns
        modality = modality_of(chunk)
        self.sources.setdefault(modality, chunk.identity.source_id)
        self._watermark.advance(modality, last_ns)
        self._watch.follow(modality, chunk.identity, (first_ns, last_ns))
        if self._earliest_ns is None or first_ns < self._earliest_ns:
            self._earliest_ns = first_ns
        self._newest_ns = max(self._newest_ns, last_ns)
        self._last_ingest_ns = max(self._last_ingest_ns, chunk.identity.ingest_time_ns)
        next_end_ns = None if self.closed_ns is None else self._end_after(self.closed_ns)
        return self._buffers.add(chunk, offset, next_end_ns)

    def close_due(self, handed_on: Offsets) -> Closing:
        """Close the windows that the watermark has reached.

        Parameters
        ----------
        handed_on
            Per modality, the last offset handed on in the partition.
        """
        watermark_ns = self._watermark.time_ns
        return Closing() if watermark_ns is None else self.close_until(watermark_ns, handed_on)

    def close_last(self, handed_on: Offsets) -> Closing:
        """Close the windows before newest event + look-back, as retirement asks."""
        return self.close_until(self._last_end_ns, handed_on)

    def close_until(self, last_ns: int, handed_on: Offsets) -> Closing:
        """Close the windows up to an instant, whatever the watermark says.

        Parameters
        ----------
        last_ns
            Windows that end at or before it close.
        handed_on
            Per modality, the last offset handed on in the partition.
        """
        closing = Closing()
        for end_ns, last_event_ns in self._closing_until(last_ns, closing):
            closing.windows.append(self._window(end_ns, last_event_ns, handed_on))
        return closing

    def skip_until(self, last_ns: int) -> int:
        """Close the windows up to an instant unseen: live they had no event yet.

        Returns
        -------
        How many of them have one by now, which must have come late.
        """
        return sum(1 for _ in self._closing_until(last_ns, Closing()))

    def is_silent(self, end_ns: int) -> bool:
        """Tell whether no event handed on lies in the look-back of a window that is not closed."""
        return self._buffers.newest_within(end_ns) is None

    def needed(self) -> dict[Modality, int]:
        """Return, per modality, the lowest offset of the events that windows to come may use."""
        return self._buffers.lowest_offsets()

    @property
    def _last_end_ns(self) -> int:
        """No window that ends later is closed before the furnace speaks again."""
        return self._newest_ns + self._spec.lookback_ns - 1

    def _end_after(self, time_ns: int) -> int:
        return self._spec.first_end_after(self.furnace_id, time_ns)

    def _closing_until(self, last_ns: int, closing: Closing) -> Iterator[tuple[int, int]]:
        """Close the windows up to an instant; yield end and newest event of each not silent one."""
        end_ns = self._next_end_ns()
        if end_ns is None or end_ns > last_ns:
            return
        closing.needed = self.needed()
        if self.closed_ns is not None:
            # Between two lives lie window numbers that nobody will close any more.
            closing.skipped = (end_ns - self._end_after(self.closed_ns)) // self._spec.hop_ns
        while end_ns <= last_ns:
            last_event_ns = self._buffers.newest_within(end_ns)
            if last_event_ns is None:
                next_end_ns = self._end_of_silence(end_ns, last_ns)
                closing.skipped += (next_end_ns - end_ns) // self._spec.hop_ns
            else:
                yield end_ns, last_event_ns
                next_end_ns = end_ns + self._spec.hop_ns
            self._buffers.forget_before(next_end_ns)
            self.closed_ns, self._has_closed = next_end_ns - self._spec.hop_ns, True
            end_ns = next_end_ns

    def _next_end_ns(self) -> int | None:
        """Return the end of the next window to close; None before the first record."""
        if self._has_closed and self.closed_ns is not None:
            return self._end_after(self.closed_ns)
        if self._earliest_ns is None:
            return None
        return self._end_after(max(self.closed_ns or 0, self._earliest_ns))

    def _end_of_silence(self, silent_end_ns: int, last_ns: int) -> int:
        """Return the next window end with an event, at most the first one after ``last_ns``."""
        event_ns = self._buffers.earliest_after(silent_end_ns)
        first_open_ns = self._end_after(last_ns)
        return (
            first_open_ns if event_ns is None else min(first_open_ns, self._end_after(event_ns - 1))
        )

    def _window(self, end_ns: int, last_event_ns: int, handed_on: Offsets) -> AlignedWindow:
        clip = self._buffers.frames.clip(end_ns)
        grid = self._buffers.samples.grid(end_ns)
        usable = self._watch.inspect(end_ns, clip, grid)
        reasons = []
        if clip.embeddings is None:
            reasons.append(LOW_VIDEO_COVERAGE if clip.coverage else NO_VIDEO)
        if grid.values_a is None:
            reasons.append(LOW_CURRENT_COVERAGE if grid.coverage else NO_CURRENT)
        for words in usable.irregularities.values():
            reasons += words
        return AlignedWindow(
            furnace_id=self.furnace_id,
            window_end_ns=end_ns,
            window_id=self._spec.window_id(self.furnace_id, end_ns),
            clip=usable.clip,
            currents_a=usable.currents_a,
            video_coverage=clip.coverage,
            current_coverage=grid.coverage,
            encoder_id=None if usable.clip is None else self._context.encoder_id,
            sources=Sources(self.sources.get(Modality.VIDEO), self.sources.get(Modality.CURRENT)),
            last_event_ns=last_event_ns,
            last_ingest_ns=self._last_ingest_ns,
            features=usable.features,
            reasons=tuple(reasons),
            irregularities=usable.irregularities,
            source_states=self._watch.states,
            cuts=self._cuts(end_ns, handed_on),
        )

    def _cuts(self, end_ns: int, handed_on: Offsets) -> Mapping[Modality, Cut]:
        cuts = dict.fromkeys(Modality, Cut(self._context.partition, None, None))
        for modality, last in handed_on.items():
            first = self._buffers.first_needed(modality, end_ns)
            needed = last + 1 if first is None else first
            cuts[modality] = Cut(self._context.partition, needed, last)
        return cuts
