"""One life of one furnace: who may speak for it, its watermark, its windows.

A life lasts from the first record to retirement. One source per modality and one encoder may speak
for it: rule 10 of the join.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.reasons import BEHIND
from meltwatch_schemas.score import Cut, Modality, Sources

from meltwatch_core.join.buffers import Chunk, EventBuffers
from meltwatch_core.join.merge import MODALITIES, Reading
from meltwatch_core.join.quality import FeatureExtractor, SourceWatch
from meltwatch_core.join.restore import Offsets, Past
from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.watermark import Idleness, Watermark
from meltwatch_core.join.window import (
    LOW_CURRENT_COVERAGE,
    LOW_VIDEO_COVERAGE,
    NO_CURRENT,
    NO_VIDEO,
    AlignedWindow,
)


def refusal_of(
    chunk: Chunk, sources: Mapping[Modality, str], encoder_id: str
) -> ContractViolation | None:
    """Return why a record is not admitted, or None.

    Parameters
    ----------
    chunk
        A valid chunk.
    sources
        Those that its furnace has; empty before its first record.
    encoder_id
        The encoder that the ensemble serves.
    """
    source = chunk.identity.source_id
    expected = sources.get(chunk.modality, source)
    if source != expected:
        return ContractViolation(
            Refusal.UNEXPECTED_SOURCE,
            f"source_id: expected {expected[:80]!r}, which {chunk.identity.furnace_id} has "
            f"until it is retired, got {source[:80]!r}",
        )
    found = _encoder_of(chunk, encoder_id)
    if found != encoder_id:
        return ContractViolation(
            Refusal.UNKNOWN_ENCODER,
            f"encoder_id: expected {encoder_id!r}, got {found[:80]!r}",
        )
    return None


def was_admitted(chunk: Chunk, sources: Mapping[Modality, str], encoder_id: str) -> bool:
    """Tell whether a record was admitted in an earlier life whose sources are known."""
    is_known = sources.get(chunk.modality) == chunk.identity.source_id
    return is_known and _encoder_of(chunk, encoder_id) == encoder_id


def _encoder_of(chunk: Chunk, served: str) -> str:
    """Return the encoder of a chunk; currents go with any."""
    return chunk.encoder_id if isinstance(chunk, EmbeddingChunk) else served


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
        Number of those that are not published, because they have no event.
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
    past
        What the newest published score says, if an earlier process began this life, or None.

    Attributes
    ----------
    closed_ns
        Last window end closed, or None.
    newest_ns
        Newest event time.
    sources
        By modality; one without a source is absent.
    """

    def __init__(
        self,
        context: JoinContext,
        furnace_id: str,
        closed_ns: int | None,
        past: Past | None = None,
    ) -> None:
        rules = context.rules
        self._context = context
        self._spec = rules.spec
        self._told = past.source_states if past else {}
        self._watch = SourceWatch(rules, context.features, self._told)
        self._idleness = Idleness(rules)
        self._watermark = Watermark(rules, past.behind if past else ())
        forgotten_ns = past.last_event_ns if past else None
        self._buffers = EventBuffers(
            rules, self._spec.phase_ns(furnace_id), context.features.greys, forgotten_ns
        )
        self.newest_ns = forgotten_ns or 0
        self._last_ingest_ns = past.last_ingest_ns if past else 0
        self._has_closed = past is not None
        # Newest event time of what is read again, for modalities of which nothing new came yet.
        self._history_ns: dict[Modality, int | None] = dict.fromkeys(Modality, forgotten_ns)
        self.furnace_id = furnace_id
        self.closed_ns = past.closed_ns if past else closed_ns
        self.sources: dict[Modality, str] = dict(past.sources) if past else {}
        self._next_end_ns = self._end_after(past.closed_ns) if past else None

    @property
    def watermark_ns(self) -> int | None:
        """Windows up to this instant are closed; None before the first."""
        return self._watermark.time_ns

    @property
    def heard_ns(self) -> int:
        """When its last record was handed on, by the reader's clock."""
        return self._idleness.heard_ns

    @property
    def highest_ns(self) -> int | None:
        """Event time that no watermark can exceed by what was handed on; None before any."""
        return self._watermark.highest_ns

    @property
    def last_end_ns(self) -> int:
        """No window that ends later is closed before the furnace speaks again."""
        return self.newest_ns + self._spec.lookback_ns - 1

    @property
    def has_closed_all(self) -> bool:
        """Whether no window is left before newest event + look-back: only retirement does that."""
        return self.closed_ns is not None and self._end_after(self.closed_ns) > self.last_end_ns

    @property
    def was_retired(self) -> bool:
        """Whether an earlier process closed all windows, and nothing new has come since."""
        return None not in self._history_ns.values() and self.has_closed_all

    @property
    def size_bytes(self) -> int:
        """What the buffers hold."""
        return self._buffers.size_bytes

    def waiting_bytes(self, modality: Modality) -> int:
        """Return what is held of events that the watermark has not reached."""
        since_ns = self._watermark.time_ns
        return self._buffers.size_bytes_after(
            modality, self.closed_ns if since_ns is None else since_ns
        )

    def behind_ns(self, modality: Modality) -> int:
        """Return how far a modality's events are behind those of the other one, ns."""
        return self._watermark.behind_ns(modality)

    def is_late(self, chunk: Chunk) -> bool:
        """Tell whether any event lies at or before the last closed window end."""
        return self.closed_ns is not None and chunk.first_event_ns <= self.closed_ns

    def admit(self, chunk: Chunk, offset: int) -> int:
        """Take a record and return how many of its events are duplicates."""
        self.sources = self.sources_for(chunk)
        self._history_ns[chunk.modality] = None
        self._watch.follow(chunk)
        return self._take(chunk, offset)

    def admit_again(self, chunk: Chunk, offset: int) -> None:
        """Take a record that is history: it fills the buffers; the last score gives the rest."""
        if chunk.modality not in self._told:  # a score need not tell the states
            self._watch.follow(chunk)
        self._take(chunk, offset)
        for modality, history_ns in self._history_ns.items():
            if history_ns is not None:
                self._history_ns[modality] = max(history_ns, chunk.last_event_ns)

    def sources_for(self, chunk: Chunk) -> dict[Modality, str]:
        """Return the sources, but for one that the record may replace.

        A furnace that fell silent while nobody read would have been retired: its first new record
        of a modality may come from another source. Event time tells, as in a replay.
        """
        modality = chunk.modality
        history_ns = self._history_ns[modality]
        limit_ns = self._context.rules.retire_after_ns
        if history_ns is None or chunk.last_event_ns - history_ns <= limit_ns:
            return self.sources
        return {m: source for m, source in self.sources.items() if m is not modality}

    def _take(self, chunk: Chunk, offset: int) -> int:
        identity, modality, last_ns = chunk.identity, chunk.modality, chunk.last_event_ns
        self.sources.setdefault(modality, identity.source_id)
        self._watermark.advance(modality, last_ns)
        if self._next_end_ns is None or not self._has_closed:
            # The first window of a life lies behind its earliest event.
            end_ns = self._end_after(max(self.closed_ns or 0, chunk.first_event_ns))
            self._next_end_ns = min(end_ns, self._next_end_ns or end_ns)
        self.newest_ns = max(self.newest_ns, last_ns)
        self._last_ingest_ns = max(self._last_ingest_ns, identity.ingest_time_ns)
        return self._buffers.add_chunk(chunk, offset, self._next_end_ns)

    def heard(self, modality: Modality, reading: Reading) -> None:
        """Note when a record was handed on."""
        self._idleness.heard(modality, reading.now_ns)
        self._move_on(reading)

    def pass_time(self, reading: Reading) -> None:
        """Note that time has passed."""
        self._idleness.pass_time(reading)
        self._move_on(reading)

    def _move_on(self, reading: Reading) -> None:
        left_out = (*self._watch.set_back, *self._idleness.idle(reading))
        self._watermark.update(reading, left_out)

    def close_due(self, handed_on: Offsets) -> Closing:
        """Close the windows that the watermark has reached.

        Parameters
        ----------
        handed_on
            Per modality, the last offset handed on in the partition.
        """
        watermark_ns = self._watermark.time_ns
        return Closing() if watermark_ns is None else self.close_until(watermark_ns, handed_on)

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
        if self._next_end_ns is not None and self._next_end_ns <= last_ns:
            for end_ns, last_event_ns in self._closing_until(last_ns, closing):
                closing.windows.append(self._window(end_ns, last_event_ns, handed_on))
        return closing

    def skip_until(self, last_ns: int) -> int:
        """Close the windows up to an instant unseen: live they had no event yet.

        Returns
        -------
        How many of them have one by now, which must have come late.
        """
        closed_ns = self.closed_ns
        filled = sum(1 for _ in self._closing_until(last_ns, Closing()))
        if self.closed_ns != closed_ns:
            self._watch.forget_proof()
        return filled

    def is_silent(self, end_ns: int) -> bool:
        """Tell whether no event handed on lies in the look-back of a window that is not closed."""
        return self._buffers.newest_within(end_ns) is None

    def needed(self) -> dict[Modality, int]:
        """Return, per modality, the lowest offset of the events that windows to come may use."""
        return self._buffers.lowest_offsets()

    def _end_after(self, time_ns: int) -> int:
        return self._spec.first_end_after(self.furnace_id, time_ns)

    def _closing_until(self, last_ns: int, closing: Closing) -> Iterator[tuple[int, int]]:
        """Close the windows up to an instant; yield end and newest event of each not silent one."""
        end_ns = self._next_end_ns
        if end_ns is None or end_ns > last_ns:
            return
        closing.needed = self.needed()
        if self.closed_ns is not None:
            # Window numbers between two lives are never closed.
            closing.skipped = (end_ns - self._end_after(self.closed_ns)) // self._spec.hop_ns
        while end_ns <= last_ns:
            last_event_ns = self._buffers.newest_within(end_ns)
            if last_event_ns is None:
                next_end_ns = self._end_of_silence(end_ns, last_ns)
                closing.skipped += (next_end_ns - end_ns) // self._spec.hop_ns
                self._watch.forget_proof()
            else:
                yield end_ns, last_event_ns
                next_end_ns = end_ns + self._spec.hop_ns
            self._buffers.forget_before(next_end_ns)
            self.closed_ns, self._has_closed = next_end_ns - self._spec.hop_ns, True
            self._next_end_ns = end_ns = next_end_ns

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
        frames = usable.frames
        reasons = []
        if clip.frames is None:
            reasons.append(LOW_VIDEO_COVERAGE if clip.coverage else NO_VIDEO)
        if grid.values_a is None:
            reasons.append(LOW_CURRENT_COVERAGE if grid.coverage else NO_CURRENT)
        reasons += [BEHIND[modality] for modality in self._watermark.behind]
        for words in usable.irregularities.values():
            reasons += words
        return AlignedWindow(
            furnace_id=self.furnace_id,
            window_end_ns=end_ns,
            window_id=self._spec.window_id(self.furnace_id, end_ns),
            embeddings=None if frames is None else [frame.embedding for frame in frames],
            currents_a=usable.currents_a,
            video_coverage=clip.coverage,
            current_coverage=grid.coverage,
            encoder_id=None if frames is None else self._context.encoder_id,
            sources=Sources(self.sources.get(Modality.VIDEO), self.sources.get(Modality.CURRENT)),
            last_event_ns=last_event_ns,
            last_ingest_ns=self._last_ingest_ns,
            features=usable.features,
            reasons=tuple(reasons),
            irregularities=usable.irregularities,
            source_states=self._watch.states,
            cuts=self._cuts(end_ns, handed_on),
            frames=clip.newest,
        )

    def _cuts(self, end_ns: int, handed_on: Offsets) -> Mapping[Modality, Cut]:
        return {m: self._cut(m, end_ns, handed_on.get(m)) for m in MODALITIES}

    def _cut(self, modality: Modality, end_ns: int, last: int | None) -> Cut:
        if last is None:
            return Cut(self._context.partition, None, None)
        first = self._buffers.first_needed(modality, end_ns)
        return Cut(self._context.partition, last + 1 if first is None else first, last)
