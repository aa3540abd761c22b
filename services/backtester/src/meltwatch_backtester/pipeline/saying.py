"""Reads from history what live said of its windows."""

from collections.abc import Callable, Iterator

from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import read_score
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.span import SETTLING_NS, Span
from meltwatch_backtester.domain.watch import Said
from meltwatch_backtester.errors import BadUsage
from meltwatch_backtester.ports import History, TopicPart


def live_said(
    history: History,
    span: Span,
    partitions: frozenset[int] | None,
    on_scores: Callable[[int], None],
) -> Iterator[Said]:
    """Yield what live said of the windows of a span; the retention of history may have cut it.

    Parameters
    ----------
    partitions
        Only these; None for all.
    on_scores
        Told how many more scores were read.

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
        part = TopicPart(Topic.SCORES, partition)
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
                yield Said(score.furnace_id, score.window_end_ns, score.logit, score.model.digest)
