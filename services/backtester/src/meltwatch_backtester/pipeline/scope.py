"""Which offsets are needed to record or replay a span: the same answer for both.

So a recording holds exactly what a replay of Kafka itself would read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import Cut, WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.span import (
    COMMAND_SLACK_NS,
    RECALL_NS,
    RUN_OUT_NS,
    SETTLING_NS,
    WARM_UP_NS,
    Span,
)
from meltwatch_backtester.errors import HistoryMissing
from meltwatch_backtester.ports import History, OffsetRange, TopicPart

INPUTS: Final = (Topic.EMBEDDINGS, Topic.CURRENTS)
_WHOLE: Final = (Topic.ALARM_POINTS, Topic.ALARMS, Topic.PORTRAITS)
_SINGLE: Final = (*_WHOLE, Topic.ALARM_COMMANDS)
_AROUND: Final = dict.fromkeys(INPUTS, (WARM_UP_NS, RUN_OUT_NS)) | {
    Topic.SCORES: (RECALL_NS, SETTLING_NS),
    Topic.ALARM_COMMANDS: (COMMAND_SLACK_NS, SETTLING_NS),
}

Scope = Mapping[TopicPart, OffsetRange]


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """How a scope is found.

    Attributes
    ----------
    partitions
        Of the inputs and scores, those that are wanted; None for all that there are.
    partial
        Go on where history has lost something.
    on_score
        Called with each score that is looked at, for progress.
    """

    partitions: frozenset[int] | None = None
    partial: bool = False
    on_score: Callable[[], None] = field(default=lambda: None)


def scope_of(history: History, span: Span, options: ScopeOptions) -> Scope:
    """Return the offsets of each part that a replay of a span reads.

    Inputs reach as far as the cuts of the span's scores say, and a look-back around it at least, so
    that one recording serves both modes of replay. Scores begin early enough to restore furnaces
    and delays from. Alarms, alarm points and portraits are taken whole: they are state.

    Raises
    ------
    BadUsage
        If a recording does not hold the span or the partitions.
    HistoryGap
        If retention has deleted something of it, unless a partial replay is wanted.
    DependencyUnreachable
        If the broker does not answer.
    """
    partitions = _partitions(history, span, options.partitions)
    scope = {TopicPart(topic, 0): _around(history, TopicPart(topic, 0), span) for topic in _SINGLE}
    for partition in sorted(partitions):
        scope |= _scope_of_partition(history, span, partition, options)
    return scope


def _partitions(history: History, span: Span, wanted: frozenset[int] | None) -> frozenset[int]:
    if history.saved is None:
        return frozenset(range(history.partitions)) if wanted is None else wanted
    if not history.saved.span.covers(span):
        raise BadUsage(f"the recording holds {history.saved.span}, asked for was {span}")
    if wanted is None:
        return history.saved.partitions
    if missing := wanted - history.saved.partitions:
        raise BadUsage(
            f"the recording holds partitions {sorted(history.saved.partitions)}, "
            f"asked for was {sorted(missing)} (by --furnace)"
        )
    return wanted


def _scope_of_partition(
    history: History, span: Span, partition: int, options: ScopeOptions
) -> dict[TopicPart, OffsetRange]:
    scores = TopicPart(Topic.SCORES, partition)
    found = {scores: _around(history, scores, span)}
    reach = _Reach(history.prefix, partition, span)
    for record in history.read(scores, *found[scores]):
        options.on_score()
        score = _score(record)
        if score is not None:
            reach.add_score(score)
    for topic in INPUTS:
        part = TopicPart(topic, partition)
        found[part] = reach.widened(part.topic, _around(history, part, span), history.bounds(part))
    gaps = [gap for part, needed in found.items() if (gap := _gap(history, part, needed, reach))]
    if gaps and not options.partial:
        raise HistoryMissing(f"{'; '.join(gaps)}; --partial goes on without it")
    return {part: _clamped(needed, history.bounds(part)) for part, needed in found.items()}


def _around(history: History, part: TopicPart, span: Span) -> OffsetRange:
    """Return the offsets of the records that a span needs by their timestamps."""
    bounds = history.bounds(part)
    if part.topic in _WHOLE:
        return bounds
    before_ns, after_ns = _AROUND[part.topic]
    start = history.start_at(part, max(span.from_ns - before_ns, 0))
    return OffsetRange(start, max(history.start_at(part, span.to_ns + after_ns), start))


class _Reach:
    """How far the cuts of a partition's scores reach into its inputs."""

    def __init__(self, prefix: str, partition: int, span: Span) -> None:
        self._partition = partition
        self._span = span
        self._names = {topic: topic.under(prefix) for topic in INPUTS}
        self._first: dict[Topic, int] = {}
        self._end: dict[Topic, int] = {}
        self._before: dict[str, WindowScore] = {}

    def add_score(self, score: WindowScore) -> None:
        """Take what the cuts of a score say."""
        if score.window_end_ns in self._span:
            for topic in INPUTS:
                self._take(topic, self._cut(score, topic))
        elif 0 < self._span.from_ns - score.window_end_ns <= WARM_UP_NS:
            self._before[score.furnace_id] = max(
                score, self._before.get(score.furnace_id, score), key=lambda s: s.window_end_ns
            )

    def knows(self, topic: Topic) -> bool:
        """Tell whether a score has said what of a topic it needed."""
        return topic in self._first

    def widened(self, topic: Topic, offsets: OffsetRange, bounds: OffsetRange) -> OffsetRange:
        """Return offsets widened to what the scores needed.

        What came after the cut of a furnace's last window before the span belongs to it: no window
        may need its events, yet it claims sources and moves clocks.
        """
        cuts = (self._cut(score, topic) for score in self._before.values())
        behind = [
            bounds.start if cut.last_handed_on is None else cut.last_handed_on + 1
            for cut in cuts
            if cut is not None
        ]
        first = [self._first[topic]] if topic in self._first else []
        start = min([offsets.start, *first, *behind])
        return OffsetRange(start, max(offsets.end, self._end.get(topic, 0)))

    def _cut(self, score: WindowScore, topic: Topic) -> Cut | None:
        cut = score.inputs.get(self._names[topic])
        return cut if cut is not None and cut.partition == self._partition else None

    def _take(self, topic: Topic, cut: Cut | None) -> None:
        if cut is None or cut.first_needed is None or cut.last_handed_on is None:
            return
        self._first[topic] = min(self._first.get(topic, cut.first_needed), cut.first_needed)
        self._end[topic] = max(self._end.get(topic, 0), cut.last_handed_on + 1)


def _score(record: RawRecord) -> WindowScore | None:
    try:
        return read_score(record)
    except ContractViolation:
        return None


def _gap(history: History, part: TopicPart, needed: OffsetRange, reach: _Reach) -> str | None:
    """Say what is missing of a part, as exactly as its scores allow."""
    bounds = history.bounds(part)
    name = f"{part.topic.under(history.prefix)}/{part.partition}"
    if needed.start < bounds.start or needed.end > bounds.end:
        return (
            f"{name}: the scores need offsets {needed.start} to {needed.end}, "
            f"there are {bounds.start} to {bounds.end}"
        )
    is_cut = history.saved is None and 0 < bounds.start == needed.start < bounds.end
    if is_cut and not reach.knows(part.topic):
        return f"{name}: retention has deleted records below offset {bounds.start}"
    return None


def _clamped(needed: OffsetRange, bounds: OffsetRange) -> OffsetRange:
    start = min(max(needed.start, bounds.start), bounds.end)
    return OffsetRange(start, max(min(needed.end, bounds.end), start))
