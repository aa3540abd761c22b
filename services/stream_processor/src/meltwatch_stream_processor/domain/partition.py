"""All furnaces of one partition pair: admission, windows, retirement, acknowledgement.

Pure: the windows are a function of the sequence of records handed on.
"""

from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.score import Modality

from meltwatch_stream_processor.domain.acknowledgement import Ledger, Offsets, lowest
from meltwatch_stream_processor.domain.admission import refusal_of, was_admitted
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow, Outcome
from meltwatch_stream_processor.domain.buffers import Chunk, modality_of
from meltwatch_stream_processor.domain.features import FeatureExtractor
from meltwatch_stream_processor.domain.furnace import Closing, Furnace, JoinContext
from meltwatch_stream_processor.domain.restore import Footing, Resumption
from meltwatch_stream_processor.domain.rules import PUBLISHED_RULES, JoinRules
from meltwatch_stream_processor.errors import OutOfSequence

_REMEMBERED: Final = 10_000
"""Furnaces whose last closed window is known after their retirement, the last retired ones."""


@dataclass(slots=True)
class _Life:
    """A furnace that is not retired.

    ``seen_at_ns`` is the partition's newest event time when its last record was handed on.
    """

    furnace: Furnace
    ledger: Ledger
    seen_at_ns: int


@dataclass(frozen=True, slots=True)
class _Frontier:
    """The record that holds the newest event time of the partition."""

    event_ns: int
    modality: Modality
    offset: int


@dataclass(slots=True)
class _Retirement:
    """The furnaces retired by one record, and what they closed last."""

    furnaces: list[str] = field(default_factory=list)
    windows: list[AlignedWindow] = field(default_factory=list)
    skipped: int = 0


class PartitionJoiner:
    """Joins embeddings and currents of one partition pair into windows.

    Parameters
    ----------
    partition
        Number of the partition.
    encoder
        The encoder that the ensemble serves; frames of another one are refused.
    rules
        The window rule's numbers.
    resumption
        Where an earlier life stopped: committed positions and published windows.
    """

    def __init__(
        self,
        partition: int,
        encoder: Encoder,
        rules: JoinRules = PUBLISHED_RULES,
        resumption: Resumption | None = None,
    ) -> None:
        resumption = resumption or Resumption()
        features = FeatureExtractor(encoder.basis)
        self._context = JoinContext(partition, encoder.encoder_id, features, rules)
        self._past = resumption.furnaces
        self._history_ends = resumption.history_ends()
        self._cuts = {
            (modality, offset)
            for past in self._past.values()
            for modality, offset in past.tenures[-1].cut.items()
        }
        self._starts = dict(resumption.positions)
        self._positions = dict(resumption.positions)
        self._handed_on = {m: start - 1 for m, start in self._positions.items() if start > 0}
        # Kept across retirement, one number a furnace: for lateness and the next life's start.
        self._closed_ns = {name: past.closed_ns for name, past in self._past.items()}
        # In the order of their last records, hence in the order of retirement.
        self._lives: dict[str, _Life] = {}
        self._unsettled: dict[str, list[Ledger]] = {}
        # Furnaces whose windows wait until all is read again that was read before the last one.
        self._deferred: dict[str, None] = {}
        self._frontier: _Frontier | None = None

    @property
    def furnaces(self) -> int:
        """How many furnaces are held."""
        return len(self._lives)

    def knows(self, furnace_id: str) -> bool:
        """Tell whether a furnace is held, or goes on from an earlier life."""
        return furnace_id in self._lives or furnace_id in self._past

    def is_history(self, modality: Modality, offset: int) -> bool:
        """Tell whether some published window closed after an offset had been dealt with."""
        return offset <= self._history_ends.get(modality, -1)

    def pass_over(self, modality: Modality, offset: int) -> None:
        """Take note of a record that was refused before the merge: it moves the position alone.

        Raises
        ------
        OutOfSequence
            If the offset is below the position of its partition.
        """
        position = self._positions.get(modality, 0)
        if offset < position:
            raise OutOfSequence(
                f"{modality} partition {self._context.partition}: expected an offset of at least "
                f"{position}, got {offset}; make a new PartitionJoiner after a seek"
            )
        self._starts.setdefault(modality, offset)
        self._positions[modality] = offset + 1

    def hand_on(self, chunk: Chunk, offset: int) -> Outcome:
        """Take the next record in reading order.

        Parameters
        ----------
        chunk
            A valid chunk of either topic.
        offset
            Its offset.

        Raises
        ------
        OutOfSequence
            If the offset is below the position of its partition.
        """
        modality = modality_of(chunk)
        self.pass_over(modality, offset)
        self._handed_on[modality] = offset
        past = self._past.get(chunk.identity.furnace_id)
        footing = past.footing(modality, offset) if past else None
        if footing is not None:
            return self._hand_on_history(chunk, offset, footing)
        return self._hand_on_new(chunk, offset)

    def published(self, window: AlignedWindow) -> None:
        """Take note that a window's score is in the topic for good.

        Raises
        ------
        OutOfSequence
            If an older window of its furnace is not published yet.
        """
        name = window.furnace_id
        life = self._lives.get(name)
        ledgers = [*self._unsettled.get(name, ()), *([life.ledger] if life else [])]
        ledger = next((ledger for ledger in ledgers if not ledger.settled), None)
        if ledger is None:
            raise OutOfSequence(f"expected an unpublished window, got {window.window_id} of {name}")
        ledger.published(window.window_end_ns)
        unsettled = [ledger for ledger in self._unsettled.pop(name, ()) if not ledger.settled]
        if unsettled:
            self._unsettled[name] = unsettled

    def acknowledgeable(self) -> dict[Modality, int]:
        """Return, per modality read from, the next offset to commit; it never goes back."""
        needs = [life.ledger.needed(life.furnace.needed()) for life in self._lives.values()]
        needs += [ledger.needed({}) for ledgers in self._unsettled.values() for ledger in ledgers]
        needed = lowest((self._positions, *needs))
        return {m: max(start, needed[m]) for m, start in self._starts.items()}

    def watermarks(self) -> dict[str, int]:
        """Return the watermark, ns, of each furnace that is not retired."""
        marks = {name: life.furnace.watermark_ns for name, life in self._lives.items()}
        return {name: time_ns for name, time_ns in marks.items() if time_ns is not None}

    @property
    def size_bytes(self) -> int:
        """What the buffers of all furnaces hold."""
        return sum(life.furnace.size_bytes for life in self._lives.values())

    def _hand_on_history(self, chunk: Chunk, offset: int, footing: Footing) -> Outcome:
        """Fill the buffers again; what earlier lives counted, copied or refused stays so."""
        if not was_admitted(chunk, footing.sources, self._context.encoder_id):
            return Outcome(history=True)
        life = self._take_up(chunk, offset, footing)
        life.furnace.admit_again(chunk, offset, footing)
        # What it skips was skipped in an earlier life.
        windows = self._close_due(chunk, offset).windows
        retired = self._retire()
        return Outcome(
            history=True,
            windows=(*windows, *retired.windows),
            skipped=retired.skipped,
            retired=tuple(retired.furnaces),
        )

    def _hand_on_new(self, chunk: Chunk, offset: int) -> Outcome:
        refusal = self._refusal(chunk)
        if refusal is not None:
            return Outcome(refusal=refusal)
        life = self._take_up(chunk, offset, None)
        late = life.furnace.is_late(chunk)
        duplicates = life.furnace.admit(chunk, offset)
        closing = self._close_due(chunk, offset)
        retired = self._retire()
        return Outcome(
            late=late,
            duplicates=duplicates,
            windows=(*closing.windows, *retired.windows),
            skipped=closing.skipped + retired.skipped,
            retired=tuple(retired.furnaces),
        )

    def _refusal(self, chunk: Chunk) -> ContractViolation | None:
        life = self._lives.get(chunk.identity.furnace_id)
        sources = life.furnace.sources if life else {}
        return refusal_of(chunk, sources, self._context.encoder_id)

    def _take_up(self, chunk: Chunk, offset: int, footing: Footing | None) -> _Life:
        """Return the furnace's life, begun if need be, as the one that spoke last."""
        event_ns, furnace_id = chunk.last_event_ns, chunk.identity.furnace_id
        if self._frontier is None or event_ns > self._frontier.event_ns:
            self._frontier = _Frontier(event_ns, modality_of(chunk), offset)
        life = self._lives.pop(furnace_id, None)
        if life is None:
            closed_ns = self._closed_ns.get(furnace_id)
            furnace = Furnace(self._context, furnace_id, closed_ns, footing)
            life = _Life(furnace, Ledger(self._anchor(chunk, offset)), self._frontier.event_ns)
        life.seen_at_ns = self._frontier.event_ns
        self._lives[furnace_id] = life
        return life

    def _anchor(self, chunk: Chunk, offset: int) -> Offsets:
        """Return from where reading again restores a furnace as of the record at hand."""
        following = {m: self._handed_on.get(m, -1) + 1 for m in Modality}
        frontier = {self._frontier.modality: self._frontier.offset} if self._frontier else {}
        return lowest((following, {modality_of(chunk): offset}, frontier))

    def _close_due(self, chunk: Chunk, offset: int) -> Closing:
        """Close what is due at the furnace of the record at hand, and what was deferred until it.

        The order of reading may differ from that of an earlier life (a topic was silent then).
        A window that follows a published one must not know less than that one did.
        """
        own = chunk.identity.furnace_id
        self._deferred[own] = None
        # Only a record that stands at some cut can end the waiting of others.
        is_cut = (modality_of(chunk), offset) in self._cuts
        concerned = list(self._deferred) if is_cut else [own]
        closing = Closing()
        for name in [name for name in concerned if not self._has_history_ahead(name)]:
            del self._deferred[name]
            due = self._close_due_of(self._lives[name], chunk, offset)
            closing.windows += due.windows
            closing.skipped += due.skipped
        return closing

    def _close_due_of(self, life: _Life, chunk: Chunk, offset: int) -> Closing:
        closing = life.furnace.close_due(self._handed_on)
        anchor = self._anchor(chunk, offset) if closing.windows else None
        for window in closing.windows:
            life.ledger.closed(window.window_end_ns, closing.needed, anchor)
        return closing

    def _retire(self) -> _Retirement:
        """Retire the furnaces that the partition's newest event time has left behind."""
        retirement = _Retirement()
        for name in self._expired():
            closing = self._retire_one(name, self._lives.pop(name))
            retirement.furnaces.append(name)
            retirement.windows += closing.windows
            retirement.skipped += closing.skipped
        return retirement

    def _expired(self) -> list[str]:
        if self._frontier is None:
            return []
        limit_ns = self._frontier.event_ns - self._context.rules.retire_after_ns
        names = []
        for name, life in self._lives.items():
            if life.seen_at_ns >= limit_ns:
                break
            if not self._has_history_ahead(name):
                names.append(name)
        return names

    def _has_history_ahead(self, furnace_id: str) -> bool:
        """Tell whether a furnace is still being read again up to its newest published window.

        Until then nothing of it closes and it is not retired: what preceded that window may be
        acknowledged and missing, and everything that it led to is published.
        """
        past = self._past.get(furnace_id)
        return past is not None and not past.is_read_again(self._positions)

    def _retire_one(self, name: str, life: _Life) -> Closing:
        closing = life.furnace.close_last(self._handed_on)
        for window in closing.windows:
            life.ledger.closed(window.window_end_ns, closing.needed, None)
        if life.furnace.closed_ns is not None:
            self._closed_ns.pop(name, None)
            self._closed_ns[name] = life.furnace.closed_ns
            if len(self._closed_ns) > _REMEMBERED:
                del self._closed_ns[next(iter(self._closed_ns))]
        if not life.ledger.settled:
            self._unsettled.setdefault(name, []).append(life.ledger)
        return closing
