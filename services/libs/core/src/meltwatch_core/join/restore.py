"""What a restart rests on: which records are kept for it, and what an earlier life left behind.

Three things hold a record back from being acknowledged. Events in the buffers and in closed,
unpublished windows are needed for what the windows contain. The *anchor* is needed for everything
else: from the record that closed the furnace's last published window on, reading again restores
sources, lateness and retirement as they were.

Committed offsets and the tail of ``scores`` are all that is left behind. Per furnace the newest
published window gives the last closed window end, the cut, and what is not in the records that are
read again. Records up to the cut are history, handed on again only to fill buffers: not late, not
duplicate, not refused and not copied again. A furnace without a window in the tail starts anew.

Each window is a function of the records of its furnace up to its cut, whatever the order between
the two topics, and every record is kept on which something unpublished rests. So reading again
gives the windows that reading on would have given. Idleness is recorded nowhere: it starts anew,
and costs ``idle_gap`` once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.reasons import BEHIND
from meltwatch_schemas.score import Modality, SourceState, WindowScore

from meltwatch_core.join.errors import OutOfSequence

Offsets = Mapping[Modality, int]
"""Per modality an offset; a modality without need is absent."""


def lowest(needs: Iterable[Offsets]) -> dict[Modality, int]:
    """Return the lowest offset per modality."""
    result: dict[Modality, int] = {}
    for offsets in needs:
        for modality, offset in offsets.items():
            result[modality] = min(offset, result.get(modality, offset))
    return result


@dataclass(frozen=True, slots=True)
class _Unpublished:
    window_end_ns: int
    needed: Offsets
    anchor: Offsets | None


class NeededOffsets:
    """Which offsets of the input topics one life of a furnace still needs.

    Parameters
    ----------
    anchor
        Offsets from which reading again restores the life while none of its windows is published.
    """

    def __init__(self, anchor: Offsets) -> None:
        self._anchor = anchor
        self._unpublished: deque[_Unpublished] = deque()

    def closed(self, window_end_ns: int, needed: Offsets, anchor: Offsets | None) -> None:
        """Note a closed window.

        Parameters
        ----------
        window_end_ns
            Which window.
        needed
            Lowest offsets of the events that it or a later one may use.
        anchor
            The anchor once it is published; None leaves the anchor, which a retired furnace
            needs until its last window is out.
        """
        self._unpublished.append(_Unpublished(window_end_ns, needed, anchor))

    def published(self, window_end_ns: int) -> None:
        """Note that the oldest unpublished window is published.

        Raises
        ------
        OutOfSequence
            If another window is the oldest unpublished one.
        """
        oldest = self._unpublished[0].window_end_ns if self._unpublished else None
        if oldest != window_end_ns:
            raise OutOfSequence(
                f"expected the window ending at {oldest} ns to be published next, "
                f"got {window_end_ns} ns"
            )
        self._anchor = self._unpublished.popleft().anchor or self._anchor

    @property
    def settled(self) -> bool:
        """Every closed window is published."""
        return not self._unpublished

    def needed(self, buffered: Offsets) -> dict[Modality, int]:
        """Return the lowest offsets needed, given those of the events in the buffers."""
        unpublished = self._unpublished[0].needed if self._unpublished else {}
        return lowest((self._anchor, unpublished, buffered))


_NOTHING: Final = frozenset[Modality]()


@dataclass(frozen=True, slots=True)
class Past:
    """A furnace as of its newest published window.

    Attributes
    ----------
    closed_ns
        That window's end.
    last_event_ns, last_ingest_ns, source_states
        As that window names them.
    sources
        By modality; one without a source is absent.
    cut
        Per modality, the last offset handed on when the window closed; absent if none was.
    behind
        Modalities that were left out as too far behind.
    novelty
        How unlike its portrait the furnace was; None without one.
    """

    closed_ns: int
    last_event_ns: int
    last_ingest_ns: int
    source_states: Mapping[Modality, SourceState]
    sources: Mapping[Modality, str]
    cut: Offsets
    behind: frozenset[Modality] = _NOTHING
    novelty: Novelty | None = None

    def covers(self, modality: Modality, offset: int) -> bool:
        """Tell whether a record was handed on before the window closed."""
        return offset <= self.cut.get(modality, -1)

    def is_read_again(self, positions: Offsets) -> bool:
        """Tell whether all up to the cut lies before the positions."""
        return all(positions.get(modality, 0) > offset for modality, offset in self.cut.items())


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where to go on.

    Attributes
    ----------
    positions
        Per modality, the offset from which the partition is read: what lies before it was handed
        on in an earlier life.
    furnaces
        By furnace id, what is known of it.
    """

    positions: Offsets = field(default_factory=dict)
    furnaces: Mapping[str, Past] = field(default_factory=dict)

    def history_ends(self) -> dict[Modality, int]:
        """Return, per modality, the last offset that precedes some published window."""
        ends: dict[Modality, int] = {}
        for past in self.furnaces.values():
            for modality, offset in past.cut.items():
                ends[modality] = max(offset, ends.get(modality, offset))
        return ends


IsVoid = Callable[[Modality, WindowScore], bool]


def _never(_: Modality, __: WindowScore) -> bool:
    return False


class ScoresTail:
    """Collects what the tail of ``scores`` says, score by score, without holding the scores.

    Parameters
    ----------
    topics
        Per modality, the name of its input topic as in the scores' ``inputs``.
    ends
        Per modality, where the input partition ends; a modality without one has any end.
    latest_ns
        No window that ends later can have closed; None where that is not known.
    is_void
        Whether a score's cut of a modality is of a topic that was deleted since: then all that
        its successor holds is new. What was closed stays closed.

    Attributes
    ----------
    foreign
        Number of scores that no reader of these topics can have written: a window that has not
        ended yet, or records that the input does not have. They say nothing.
    void
        Number of cuts that are void.
    """

    def __init__(
        self,
        topics: Mapping[Modality, str],
        ends: Offsets | None = None,
        latest_ns: int | None = None,
        is_void: IsVoid = _never,
    ) -> None:
        self._topics = topics
        self._ends = ends or {}
        self._latest_ns = latest_ns
        self._is_void = is_void
        self._furnaces: dict[str, Past] = {}
        self.foreign = 0
        self.void = 0

    def add_score(self, score: WindowScore) -> None:
        """Take the next score of the partition, in offset order; the first publication stands."""
        is_ahead = self._latest_ns is not None and score.window_end_ns > self._latest_ns
        if is_ahead or any(self._is_beyond(modality, score) for modality in self._ends):
            self.foreign += 1
            return
        known = self._furnaces.get(score.furnace_id)
        if known is None or score.window_end_ns > known.closed_ns:
            past = _past(score, self._topics)
            cut = {m: offset for m, offset in past.cut.items() if not self._is_void(m, score)}
            self.void += len(past.cut) - len(cut)
            self._furnaces[score.furnace_id] = replace(past, cut=cut)

    def _is_beyond(self, modality: Modality, score: WindowScore) -> bool:
        """Tell whether a score names no cut of a topic, or one that lies beyond its end."""
        cut = score.inputs.get(self._topics[modality])
        if cut is None:
            return True
        if cut.last_handed_on is None or self._is_void(modality, score):
            return False
        return cut.last_handed_on >= self._ends[modality]

    def resumption(self, positions: Offsets) -> Resumption:
        """Return where to go on.

        Parameters
        ----------
        positions
            Per modality, the offset from which the partition is read.
        """
        return Resumption(dict(positions), dict(self._furnaces))


def resume(
    positions: Offsets, scores: Iterable[WindowScore], topics: Mapping[Modality, str]
) -> Resumption:
    """Return where to go on, given all scores of the tail: see ``ScoresTail``."""
    tail = ScoresTail(topics)
    for score in scores:
        tail.add_score(score)
    return tail.resumption(positions)


def sources_of(score: WindowScore) -> dict[Modality, str]:
    """Return the sources that a score names; a modality without one is absent."""
    sources = {Modality.VIDEO: score.sources.video, Modality.CURRENT: score.sources.current}
    return {modality: source for modality, source in sources.items() if source is not None}


def _past(score: WindowScore, topics: Mapping[Modality, str]) -> Past:
    cuts = {modality: score.inputs.get(topic) for modality, topic in topics.items()}
    return Past(
        closed_ns=score.window_end_ns,
        # Windows up to then are not silent, whatever a stranger's score says.
        last_event_ns=min(score.times.last_event_ns, score.window_end_ns),
        last_ingest_ns=score.times.last_ingest_ns,
        source_states=score.source_states,
        sources=sources_of(score),
        cut={
            modality: cut.last_handed_on
            for modality, cut in cuts.items()
            if cut is not None and cut.last_handed_on is not None
        },
        behind=frozenset(m for m, word in BEHIND.items() if word in score.reasons),
        novelty=score.novelty,
    )
