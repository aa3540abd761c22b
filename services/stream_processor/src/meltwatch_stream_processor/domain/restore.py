"""What an earlier life left behind: committed offsets and the tail of ``scores``, nothing else.

Per furnace the newest published window gives the last closed window end and the cut: records up
to it are history, handed on again only to fill buffers. They are not late, not duplicate, not
refused and not copied again; each is judged by the sources of the window that followed it. A
furnace without a window in the tail starts anew.

Reading again from acknowledged positions gives the windows that the uninterrupted reading would
have given, as long as the records come in the same order (as the merge gives it wherever nothing
was late), because ``acknowledgement`` holds back every record on which something unpublished
rests. Retirement is not recorded anywhere: it happens again while reading again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meltwatch_schemas.score import Modality, SourceState, WindowScore

from meltwatch_stream_processor.domain.acknowledgement import Offsets


@dataclass(frozen=True, slots=True)
class Tenure:
    """Sources that a furnace had in published windows that followed each other.

    Attributes
    ----------
    sources
        By modality; one without a source is absent.
    cut
        Per modality, the last offset handed on when the last of these windows closed; absent if
        none was.
    """

    sources: Mapping[Modality, str]
    cut: Offsets

    def covers(self, modality: Modality, offset: int) -> bool:
        """Tell whether a record was handed on before the last of these windows closed."""
        return offset <= self.cut.get(modality, -1)


@dataclass(frozen=True, slots=True)
class Past:
    """A furnace as of its newest published window.

    Attributes
    ----------
    closed_ns
        That window's end.
    last_event_ns, last_ingest_ns, source_states
        As that window names them.
    tenures
        Its sources over time, oldest first; more than one if it was retired and came back.
    """

    closed_ns: int
    last_event_ns: int
    last_ingest_ns: int
    source_states: Mapping[Modality, SourceState]
    tenures: tuple[Tenure, ...]

    def is_read_again(self, positions: Offsets) -> bool:
        """Tell whether all that preceded the newest published window lies before the positions."""
        cut = self.tenures[-1].cut
        return all(positions.get(modality, 0) > offset for modality, offset in cut.items())

    def footing(self, modality: Modality, offset: int) -> "Footing | None":
        """Return what a record of the furnace stands on; None if it is no history."""
        covering = (tenure for tenure in self.tenures if tenure.covers(modality, offset))
        tenure = next(covering, None)
        return None if tenure is None else self._footing(tenure)

    @property
    def last_footing(self) -> "Footing":
        """What a life goes on from of which no record is read again."""
        return self._footing(self.tenures[-1])

    def _footing(self, tenure: Tenure) -> "Footing":
        return Footing(tenure.sources, self.last_event_ns, self.last_ingest_ns, self.source_states)


@dataclass(frozen=True, slots=True)
class Footing:
    """What a life that is read again goes on from.

    Attributes
    ----------
    sources
        Those that the furnace had when the record at hand was followed by a window.
    last_event_ns, last_ingest_ns, source_states
        As its last published window names them.
    """

    sources: Mapping[Modality, str]
    last_event_ns: int
    last_ingest_ns: int
    source_states: Mapping[Modality, SourceState]


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
            for modality, offset in past.tenures[-1].cut.items():
                ends[modality] = max(offset, ends.get(modality, offset))
        return ends


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

    Attributes
    ----------
    void
        Number of scores that rest on records which the input does not have: of topics that were
        there before these, or of somebody else. They say nothing of what is read now.
    """

    def __init__(
        self,
        topics: Mapping[Modality, str],
        ends: Offsets | None = None,
        latest_ns: int | None = None,
    ) -> None:
        self._topics = topics
        self._ends = ends or {}
        self._latest_ns = latest_ns
        self._furnaces: dict[str, Past] = {}
        self.void = 0

    def add(self, score: WindowScore) -> None:
        """Take the next score of the partition, in offset order; the first publication stands."""
        is_ahead = self._latest_ns is not None and score.window_end_ns > self._latest_ns
        if is_ahead or any(self._is_beyond(modality, score) for modality in self._ends):
            self.void += 1
            return
        known = self._furnaces.get(score.furnace_id)
        if known is None or score.window_end_ns > known.closed_ns:
            self._furnaces[score.furnace_id] = _past(known, score, self._topics)

    def _is_beyond(self, modality: Modality, score: WindowScore) -> bool:
        """Tell whether a score names no cut of a topic, or one that lies beyond its end."""
        cut = score.inputs.get(self._topics[modality])
        if cut is None:
            return True
        return cut.last_handed_on is not None and cut.last_handed_on >= self._ends[modality]

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
        tail.add(score)
    return tail.resumption(positions)


def _past(known: Past | None, score: WindowScore, topics: Mapping[Modality, str]) -> Past:
    tenure = _tenure(score, topics)
    tenures = known.tenures if known else ()
    if tenures and tenures[-1].sources == tenure.sources:
        tenures = tenures[:-1]
    return Past(
        closed_ns=score.window_end_ns,
        # It speaks against silence until then, and no longer, whatever a stranger's score says.
        last_event_ns=min(score.times.last_event_ns, score.window_end_ns),
        last_ingest_ns=score.times.last_ingest_ns,
        source_states=score.source_states,
        tenures=(*tenures, tenure),
    )


def _tenure(score: WindowScore, topics: Mapping[Modality, str]) -> Tenure:
    sources = {Modality.VIDEO: score.sources.video, Modality.CURRENT: score.sources.current}
    cuts = {modality: score.inputs.get(topic) for modality, topic in topics.items()}
    return Tenure(
        sources={modality: source for modality, source in sources.items() if source is not None},
        cut={
            modality: cut.last_handed_on
            for modality, cut in cuts.items()
            if cut is not None and cut.last_handed_on is not None
        },
    )
