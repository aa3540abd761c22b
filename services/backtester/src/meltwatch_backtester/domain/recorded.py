"""Closes each window again where it was closed live: at the cut that its score recorded.

The order between the two topics is not recorded, and no window depends on it: the content of a
window follows from the records of each topic up to the cut. Retirement is not recorded either, but
can be seen: nothing else closes a window beyond the watermark.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.furnace import Furnace, JoinContext, refusal_of, was_admitted
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.restore import Offsets, Past, sources_of
from meltwatch_core.join.rules import PUBLISHED_RULES, JoinRules
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.score import Modality, WindowScore


@dataclass(slots=True)
class Closed:
    """The result of closing one recorded window.

    Attributes
    ----------
    window
        That window; None if the records do not give it.
    is_preceded
        No score speaks of the window number before it, although it was not silent when the
        furnace's last window closed: live must have published it.
    late, duplicates
        Records that were late and events that were dropped, since the furnace's last window.
    refusals
        Records that were refused since then, by the word for the dead letter.
    """

    window: AlignedWindow | None = None
    is_preceded: bool = False
    late: int = 0
    duplicates: int = 0
    refusals: list[str] = field(default_factory=list)


_Record = tuple[Chunk, int]
"""A record and its offset."""


class _Line:
    """One furnace across its retirements: the records that wait, and its present state."""

    def __init__(self, furnace_id: str, past: Past | None) -> None:
        self.furnace_id = furnace_id
        self.waiting: dict[Modality, deque[_Record]] = {m: deque() for m in Modality}
        self.past = past
        self.life: Furnace | None = None
        self.closed_ns = past.closed_ns if past else None
        self.owed_ns: int | None = None

    def take_until(self, cut: Offsets) -> list[_Record]:
        """Return the records up to a cut, those of one topic in their order."""
        taken = []
        for modality, records in self.waiting.items():
            while records and records[0][1] <= cut.get(modality, -1):
                taken.append(records.popleft())
        return taken


class RecordedJoiner:
    """Joins one partition pair at recorded cuts.

    Parameters
    ----------
    partition
        Number of the partition.
    encoder
        The encoder that the ensemble serves.
    pasts
        By furnace, what its newest score before the replayed span says of it.
    topics
        Per modality, the name of its input topic as in the scores' ``inputs``.
    rules
        The window rule's numbers.
    """

    def __init__(
        self,
        partition: int,
        encoder: Encoder,
        pasts: Mapping[str, Past],
        topics: Mapping[Modality, str],
        rules: JoinRules = PUBLISHED_RULES,
    ) -> None:
        features = FeatureExtractor(encoder.basis)
        self._context = JoinContext(partition, encoder.encoder_id, features, rules)
        self._pasts = pasts
        self._topics = topics
        self._lines: dict[str, _Line] = {}
        self.waiting = 0

    def push(self, chunk: Chunk, offset: int) -> None:
        """Take a record; offsets of a topic ascend. It waits for the first window that needs it.

        ``waiting`` counts the records that wait.
        """
        line = self._line(chunk.identity.furnace_id)
        line.waiting[chunk.modality].append((chunk, offset))
        self.waiting += 1

    def cut_of(self, score: WindowScore) -> dict[Modality, int]:
        """Return, per modality, the last offset handed on when a window closed live."""
        cuts = {modality: score.inputs.get(topic) for modality, topic in self._topics.items()}
        return {
            modality: cut.last_handed_on
            for modality, cut in cuts.items()
            if cut is not None and cut.last_handed_on is not None
        }

    def close(self, score: WindowScore) -> Closed | None:
        """Close the window of a score; records up to its cut must have been pushed.

        Parameters
        ----------
        score
            The next one of the partition, in offset order.

        Returns
        -------
        None if the furnace has closed that window already: the first publication stands.
        """
        line = self._line(score.furnace_id)
        if line.closed_ns is not None and score.window_end_ns <= line.closed_ns:
            return None
        cut, closed = self.cut_of(score), Closed()
        records = line.take_until(cut)
        self.waiting -= len(records)
        if line.past is not None:
            records = self._go_on(line, line.past, records)
        sources = sources_of(score)
        for record in records:
            self._admit(line, record, sources, closed)
        if line.life is not None:
            # No score between means that it was silent then; a late record may fill such a window
            # now.
            line.life.skip_until(score.window_end_ns - 1)
            windows = line.life.close_until(score.window_end_ns, cut).windows
            closed.window = windows[0] if windows else None
            _retire_if_due(line, line.life, score.window_end_ns)
        closed.is_preceded = line.owed_ns is not None and line.owed_ns < score.window_end_ns
        self._note_closed(line, score.window_end_ns)
        return closed

    def _note_closed(self, line: _Line, end_ns: int) -> None:
        next_end_ns = end_ns + self._context.rules.spec.hop_ns
        is_owed = line.life is not None and not line.life.is_silent(next_end_ns)
        line.closed_ns, line.owed_ns = end_ns, next_end_ns if is_owed else None

    def _line(self, furnace_id: str) -> _Line:
        line = self._lines.get(furnace_id)
        if line is None:
            line = self._lines[furnace_id] = _Line(furnace_id, self._pasts.get(furnace_id))
        return line

    def _go_on(self, line: _Line, past: Past, records: list[_Record]) -> list[_Record]:
        """Restore a furnace from its newest score before the span; return the records that are new.

        Records that this score knows fill the buffers and do nothing else.
        """
        line.past, new = None, []
        life = Furnace(self._context, line.furnace_id, past.closed_ns, past)
        for chunk, offset in records:
            if not past.covers(chunk.modality, offset):
                new.append((chunk, offset))
            elif was_admitted(chunk, past.sources, self._context.encoder_id):
                life.admit_again(chunk, offset)
        line.life = None if life.was_retired else life
        return new

    def _admit(
        self, line: _Line, record: _Record, sources: Mapping[Modality, str], closed: Closed
    ) -> None:
        """Take a record that live admitted, or count why it did not: the score names its sources.

        When a source may be replaced depends on the reader's clock, which is recorded nowhere.
        """
        chunk, offset = record
        refusal = refusal_of(chunk, sources, self._context.encoder_id)
        if refusal is not None:
            closed.refusals.append(refusal.reason.value)
            return
        if line.life is None:
            line.life = Furnace(self._context, line.furnace_id, line.closed_ns)
        line.life.sources = dict(sources)
        closed.late += line.life.is_late(chunk)
        closed.duplicates += line.life.admit(chunk, offset)


def _retire_if_due(line: _Line, life: Furnace, end_ns: int) -> None:
    """Retire a furnace all of whose windows are closed, the last one beyond any watermark."""
    highest_ns = life.highest_ns
    if life.has_closed_all and (highest_ns is None or end_ns > highest_ns):
        line.life = None
