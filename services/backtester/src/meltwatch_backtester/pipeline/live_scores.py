"""The scores that live published: those before a span, and those of its windows."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator

from meltwatch_chassis.errors import BadUsage
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester.domain.span import SETTLING_NS, Span
from meltwatch_backtester.domain.watch import Said
from meltwatch_backtester.pipeline.replayed import Source, score_part
from meltwatch_backtester.ports import History, TopicPart

_REACH_NS = 600 * NS_PER_S
"""How far scores of a partition may be out of order in event time; others count as missing."""


def live_scores(source: Source) -> Iterator[tuple[RawRecord, WindowScore]]:
    """Yield what is readable among the scores of a partition, in offset order."""
    part = score_part(source.partition)
    for raw in source.history.read(part, *source.scope[part]):
        try:
            score = read_score(raw)
        except ContractViolation:
            continue  # The topic is open to others; live passes over them, too.
        tally = source.tally
        tally.newest_live_ns = max(tally.newest_live_ns, score.times.published_ns)
        yield raw, score


def scores_before(source: Source) -> Iterator[tuple[RawRecord, WindowScore]]:
    """Yield the scores whose windows end before the span, of wanted furnaces."""
    last_ns = source.span.from_ns + _REACH_NS
    for raw, score in live_scores(source):
        if score.window_end_ns >= last_ns:
            return
        if score.window_end_ns < source.span.from_ns and source.wanted(score.furnace_id):
            yield raw, score


class LiveScores:
    """Finds the live score of a window, furnace by furnace in order, in bounded memory.

    Parameters
    ----------
    source
        Where to read.
    begun
        Furnaces with a score before the span.
    """

    def __init__(self, source: Source, begun: frozenset[str]) -> None:
        self._scores = (score for _, score in live_scores(source) if source.is_wanted(score))
        self._waiting: dict[str, deque[WindowScore]] = defaultdict(deque)
        self._newest_ns: dict[str, int] = {}
        self._begun = set(begun)
        self._read_ns = 0
        self._passed: deque[WindowScore] = deque()

    def of(self, window: AlignedWindow) -> WindowScore | None:
        """Return the live score of a window; windows of a furnace come in order."""
        furnace_id, end_ns = window.furnace_id, window.window_end_ns
        self._read_until(furnace_id, end_ns)
        waiting = self._waiting[furnace_id]
        while waiting and waiting[0].window_end_ns < end_ns:
            self._begun.add(furnace_id)
            self._passed.append(waiting.popleft())
        if not waiting or waiting[0].window_end_ns > end_ns:
            return None
        self._begun.add(furnace_id)
        return waiting.popleft()

    def is_beyond(self, window: AlignedWindow) -> bool:
        """Tell of a window without a score whether live had not begun, or has not come so far."""
        furnace_id = window.furnace_id
        return furnace_id not in self._begun or not self._waiting[furnace_id]

    def passed(self) -> Iterator[WindowScore]:
        """Yield the live scores that no window was asked for, as far as they were passed."""
        while self._passed:
            yield self._passed.popleft()

    def rest(self) -> Iterator[WindowScore]:
        """Yield all live scores that no window was asked for."""
        yield from self.passed()
        for waiting in self._waiting.values():
            yield from waiting
        yield from self._scores

    def _read_until(self, furnace_id: str, end_ns: int) -> None:
        """Read on until a furnace has a score, or there can be none."""
        while not self._waiting[furnace_id] and self._read_ns < end_ns + _REACH_NS:
            score = next(self._scores, None)
            if score is None:
                return
            self._read_ns = max(self._read_ns, score.window_end_ns)
            if score.window_end_ns > self._newest_ns.get(score.furnace_id, -1):
                # The first publication of a window stands.
                self._newest_ns[score.furnace_id] = score.window_end_ns
                self._waiting[score.furnace_id].append(score)


def live_said(
    history: History,
    span: Span,
    partitions: frozenset[int] | None,
    on_scores: Callable[[int], None],
    topic: Topic = Topic.SCORES,
) -> Iterator[Said]:
    """Yield what live said of the windows of a span, as ``live_windows`` gives them."""
    for score in live_windows(history, span, partitions, on_scores, topic):
        yield Said(score.furnace_id, score.window_end_ns, score.logit, score.model.digest)


def live_windows(
    history: History,
    span: Span,
    partitions: frozenset[int] | None,
    on_scores: Callable[[int], None],
    topic: Topic = Topic.SCORES,
) -> Iterator[WindowScore]:
    """Yield the live scores of the windows of a span; the retention of history may have cut it.

    Parameters
    ----------
    partitions
        Only these; None for all.
    on_scores
        Told how many more scores were read.
    topic
        Where they stand: those of live, or those of an ensemble that is only watched.

    Raises
    ------
    BadUsage
        If a recording does not hold the span.
    DependencyUnreachable
        If the broker does not answer.
    """
    if history.saved is not None and not history.saved.span.covers(span):
        raise BadUsage(f"the recording holds {history.saved.span}, asked for was {span}")
    for partition in sorted(partitions or range(history.partitions)):
        part = TopicPart(topic, partition)
        start, end = (
            history.start_at(part, at_ns) for at_ns in (span.from_ns, span.to_ns + SETTLING_NS)
        )
        for raw in history.read(part, start, end):
            on_scores(1)
            try:
                score = read_score(raw)
            except ContractViolation:
                continue  # The topic is open to others; live passes over them, too.
            if score.window_end_ns in span:
                yield score
