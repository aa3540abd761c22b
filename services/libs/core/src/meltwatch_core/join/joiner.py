"""All furnaces of one partition pair: admission, windows, retirement, acknowledgement.

Pure: the windows are a function of the sequence of records handed on, and of how far reading had
come by the reader's clock. Nothing in the join of a furnace depends on its neighbours.
"""

from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.score import Modality

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.entry import Entry
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.frames import GreysOf
from meltwatch_core.join.furnace import Closing, Furnace, JoinContext, refusal_of, was_admitted
from meltwatch_core.join.merge import MODALITIES, Reading
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.restore import NeededOffsets, Offsets, Past, Resumption, lowest
from meltwatch_core.join.rules import PUBLISHED_RULES, JoinRules
from meltwatch_core.join.window import UNEVENTFUL, AlignedWindow, Outcome

_REMEMBERED: Final = 10_000
"""Furnaces whose last closed window is known after their retirement, the last retired ones."""


@dataclass(slots=True)
class _Life:
    """A furnace that is not retired."""

    furnace: Furnace
    needs: NeededOffsets


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
        self._past = dict(resumption.furnaces)
        self._history_ends = resumption.history_ends()
        self._starts = dict(resumption.positions)
        self._positions = dict(resumption.positions)
        self._handed_on = {m: start - 1 for m, start in self._positions.items() if start > 0}
        # Kept across retirement, one number a furnace: for lateness and the next life's start.
        self._closed_ns = {name: past.closed_ns for name, past in self._past.items()}
        # In the order of their last records, which is the order of retirement.
        self._lives: dict[str, _Life] = {}
        self._unsettled: dict[str, list[NeededOffsets]] = {}

    @property
    def furnaces(self) -> int:
        """How many furnaces are held."""
        return len(self._lives)

    def knows(self, furnace_id: str) -> bool:
        """Tell whether a furnace is held, or goes on from an earlier life."""
        return furnace_id in self._lives or furnace_id in self._past

    def remembers(self, furnace_id: str) -> bool:
        """Tell whether it is known where the windows of a furnace go on."""
        return furnace_id in self._lives or furnace_id in self._closed_ns

    def recall(self, resumption: Resumption) -> None:
        """Learn where the windows go on of furnaces that are not remembered."""
        for name, past in resumption.furnaces.items():
            if not self.remembers(name):
                self._past[name], self._closed_ns[name] = past, past.closed_ns

    def holds(self, furnace_id: str) -> bool:
        """Tell whether a furnace is held in memory; later it is retired."""
        return furnace_id in self._lives

    def advance(self, entry: Entry | None, reading: Reading) -> Outcome:
        """Take the next record in reading order, or the passing of time.

        Parameters
        ----------
        entry
            The record; a refused one moves the position alone. None if only time has passed: then
            modalities become idle and furnaces are retired.
        reading
            How far reading has come.

        Raises
        ------
        OutOfSequence
            If the offset is below the position of its partition.
        """
        if entry is None:
            return self._pass_time(reading)
        modality, offset, chunk = entry.modality, entry.offset, entry.content
        self._move_to(modality, offset)
        if isinstance(chunk, ContractViolation):
            is_history = offset <= self._history_ends.get(modality, -1)
            return Outcome(history=True) if is_history else Outcome(refusal=chunk)
        self._handed_on[modality] = offset
        past = self._past.get(chunk.identity.furnace_id)
        if past is not None and past.covers(modality, offset):
            return self._admit_again(chunk, offset, past, reading)
        return self._admit(chunk, offset, reading)

    def _pass_time(self, reading: Reading) -> Outcome:
        closings = []
        for life in list(self._lives.values()):
            life.furnace.pass_time(reading)
            closings.append(self._close_due(life))
        retired = self._expired(reading)
        closings += [self._retire(name) for name in retired]
        return Outcome(
            windows=tuple(window for closing in closings for window in closing.windows),
            skipped=sum(closing.skipped for closing in closings),
            retired=tuple(retired),
        )

    def published(self, window: AlignedWindow) -> None:
        """Note that a window's score is in the topic and stays there.

        Raises
        ------
        OutOfSequence
            If an older window of its furnace is not published yet.
        """
        name = window.furnace_id
        life = self._lives.get(name)
        open_needs = [*self._unsettled.get(name, ()), *([life.needs] if life else [])]
        needs = next((needs for needs in open_needs if not needs.settled), None)
        if needs is None:
            raise OutOfSequence(f"expected an unpublished window, got {window.window_id} of {name}")
        needs.published(window.window_end_ns)
        unsettled = [needs for needs in self._unsettled.pop(name, ()) if not needs.settled]
        if unsettled:
            self._unsettled[name] = unsettled

    def acknowledgeable(self) -> dict[Modality, int]:
        """Return, per modality read from, the next offset to commit; it never goes back."""
        kept = [life.needs.needed(life.furnace.needed()) for life in self._lives.values()]
        kept += [needs.needed({}) for unsettled in self._unsettled.values() for needs in unsettled]
        needed = lowest((self._positions, *kept))
        return {m: max(start, needed[m]) for m, start in self._starts.items()}

    def watermarks(self) -> dict[str, int]:
        """Return the watermark, ns, of each furnace that is not retired."""
        marks = {name: life.furnace.watermark_ns for name, life in self._lives.items()}
        return {name: time_ns for name, time_ns in marks.items() if time_ns is not None}

    def behind_ns(self) -> dict[tuple[str, Modality], int]:
        """Return, per furnace and modality, how far its events are behind the other's, ns."""
        return {
            (name, modality): life.furnace.behind_ns(modality)
            for name, life in self._lives.items()
            for modality in Modality
        }

    @property
    def greys_of(self) -> GreysOf:
        """Gives the greys of frames; those of the record handed on last are known already."""
        return self._context.features.greys

    @property
    def size_bytes(self) -> int:
        """What the buffers of all furnaces hold."""
        return sum(life.furnace.size_bytes for life in self._lives.values())

    def waiting_bytes(self, modality: Modality) -> int:
        """Return what is held of a modality's events that no watermark has reached."""
        return sum(life.furnace.waiting_bytes(modality) for life in self._lives.values())

    def _move_to(self, modality: Modality, offset: int) -> None:
        position = self._positions.get(modality, 0)
        if offset < position:
            raise OutOfSequence(
                f"{modality} partition {self._context.partition}: expected an offset of at least "
                f"{position}, got {offset}; make a new PartitionJoiner after a seek"
            )
        self._starts.setdefault(modality, offset)
        self._positions[modality] = offset + 1

    def _admit_again(self, chunk: Chunk, offset: int, past: Past, reading: Reading) -> Outcome:
        """Fill the buffers again; what earlier lives counted, copied or refused is not repeated."""
        if not was_admitted(chunk, past.sources, self._context.encoder_id):
            return Outcome(history=True)
        modality = chunk.modality
        life = self._life_of(chunk.identity.furnace_id, modality, offset)
        life.furnace.admit_again(chunk, offset)
        closing = self._close_after(life, modality, reading)
        return Outcome(history=True, windows=tuple(closing.windows), skipped=closing.skipped)

    def _admit(self, chunk: Chunk, offset: int, reading: Reading) -> Outcome:
        name, modality = chunk.identity.furnace_id, chunk.modality
        life = self._life_of(name, modality, offset)
        sources = life.furnace.sources_for(chunk)
        refusal = refusal_of(chunk, sources, self._context.encoder_id)
        if refusal is not None:
            return Outcome(refusal=refusal)
        late = life.furnace.is_late(chunk)
        duplicates = life.furnace.admit(chunk, offset)
        closing = self._close_after(life, modality, reading)
        if not (late or duplicates or closing.windows or closing.skipped):
            return UNEVENTFUL
        return Outcome(
            late=late,
            duplicates=duplicates,
            windows=tuple(closing.windows),
            skipped=closing.skipped,
        )

    def _life_of(self, furnace_id: str, modality: Modality, offset: int) -> _Life:
        """Return a furnace's life, or one that would begin with a record."""
        life = self._lives.get(furnace_id)
        if life is not None:
            return life
        closed_ns = self._closed_ns.get(furnace_id)
        furnace = Furnace(self._context, furnace_id, closed_ns, self._past.get(furnace_id))
        # The earlier process had retired it: what the score says of its sources is over.
        if furnace.was_retired and not self._has_history_ahead(furnace_id):
            furnace = Furnace(self._context, furnace_id, closed_ns)
        return _Life(furnace, NeededOffsets(lowest((self._following(), {modality: offset}))))

    def _spoke(self, life: _Life) -> None:
        """Keep a life, as the one with the newest record."""
        self._lives.pop(life.furnace.furnace_id, None)
        self._lives[life.furnace.furnace_id] = life

    def _following(self) -> Offsets:
        """Return per modality the offset behind the last one handed on."""
        return {m: self._handed_on.get(m, -1) + 1 for m in MODALITIES}

    def _close_after(self, life: _Life, modality: Modality, reading: Reading) -> Closing:
        """Close what is due after a furnace's next record."""
        self._spoke(life)
        life.furnace.heard(modality, reading)
        return self._close_due(life)

    def _close_due(self, life: _Life) -> Closing:
        name = life.furnace.furnace_id
        if self._has_history_ahead(name):
            return Closing()
        if life.furnace.was_retired:
            del self._lives[name], self._past[name]
            return Closing()
        closing = life.furnace.close_due(self._handed_on)
        for window in closing.windows:
            life.needs.closed(window.window_end_ns, closing.needed, self._following())
        return closing

    def _expired(self, reading: Reading) -> list[str]:
        """Return the furnaces without a record for so long, as far as all is read."""
        as_of_ns, names = reading.all_as_of_ns, []
        for name, life in self._lives.items():
            silent_ns = -1 if as_of_ns is None else as_of_ns - life.furnace.heard_ns
            if silent_ns <= self._context.rules.retire_after_ns:
                # In the order of their last records: all that follow have spoken later.
                break
            names.append(name)
        return names

    def _has_history_ahead(self, furnace_id: str) -> bool:
        """Tell whether a furnace is still being read again up to its newest published window.

        Until then nothing of it closes: a window that follows a published one must not know less
        than that one did.
        """
        past = self._past.get(furnace_id)
        return past is not None and not past.is_read_again(self._positions)

    def _retire(self, name: str) -> Closing:
        """Close a furnace's last windows and forget it, but for the last window end."""
        life = self._lives.pop(name)
        self._past.pop(name, None)
        closing = life.furnace.close_until(life.furnace.last_end_ns, self._handed_on)
        for window in closing.windows:
            # No anchor: the old one still restores the furnace until its last window is out.
            life.needs.closed(window.window_end_ns, closing.needed, None)
        if life.furnace.closed_ns is not None:
            self._closed_ns.pop(name, None)
            self._closed_ns[name] = life.furnace.closed_ns
            if len(self._closed_ns) > _REMEMBERED:
                # Names are anybody's to invent: what is remembered of them is bounded.
                del self._closed_ns[next(iter(self._closed_ns))]
        if not life.needs.settled:
            # Its windows are not published yet, so its records must not be acknowledged yet.
            self._unsettled.setdefault(name, []).append(life.needs)
        return closing
