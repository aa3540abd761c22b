"""The windows of a span by event time alone, merged as live merges what it catches up with."""

from collections import Counter
from collections.abc import Iterator

from meltwatch_core.join.entry import Entry
from meltwatch_core.join.event_time import EventTimeJoiner
from meltwatch_core.join.merge import ReadingOrder
from meltwatch_core.join.synchrony import SkewWatch
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.score import Modality, WindowScore

from meltwatch_backtester.pipeline.inputs import InputReader
from meltwatch_backtester.pipeline.live_scores import LiveScores
from meltwatch_backtester.pipeline.replayed import Replayed, Source, words_beside


def event_time_windows(source: Source, begun: frozenset[str]) -> Iterator[Replayed]:
    """Yield the windows of a span as they close, each with its live score if there is one.

    Parameters
    ----------
    source
        What to replay.
    begun
        Furnaces that live had begun with before the span.
    """
    joiner = EventTimeJoiner(source.partition, source.encoder)
    skew = SkewWatch(source.sync_offsets_s)
    lives, late = LiveScores(source, begun), Counter[str]()
    for entry in _merged(source.inputs()):
        content = entry.content
        if isinstance(content, ContractViolation):
            continue
        outcome = joiner.admit(content, entry.offset)
        skew.take(content, outcome, joiner.greys_of)
        skew.forget(outcome.retired)
        if source.wanted(content.identity.furnace_id):
            _count(outcome, source)
            late[content.identity.furnace_id] += outcome.late
        for window in outcome.windows:
            if window.window_end_ns in source.span and source.wanted(window.furnace_id):
                replayed = _replayed(window, lives, late.pop(window.furnace_id, 0), skew)
                # What the window goes on from comes before it.
                yield from map(_missing, lives.passed())
                yield replayed
    yield from map(_missing, lives.rest())


def _merged(readers: dict[Modality, InputReader]) -> Iterator[Entry]:
    """Yield the records of both topics in reading order, with frozen ends."""
    order = ReadingOrder({m: r.position for m, r in readers.items()})
    unread = set(readers)
    lacking = set(readers)
    while True:
        for modality in sorted(lacking & unread):
            entry = readers[modality].next()
            if entry is None:
                unread.discard(modality)
            else:
                order.push(entry)
                lacking.discard(modality)
        # What has no record waiting was read to its end.
        order.told(0, {modality: readers[modality].position for modality in lacking})
        first = order.pop()
        if first is None:
            return
        lacking.add(first.modality)
        yield first


def _replayed(window: AlignedWindow, lives: LiveScores, late: int, skew: SkewWatch) -> Replayed:
    live = lives.of(window)
    return Replayed(
        window=window,
        live=live,
        late=late,
        is_beyond=live is None and lives.is_beyond(window),
        words=skew.reasons(window.furnace_id) if live is None else words_beside(live),
    )


def _missing(live: WindowScore) -> Replayed:
    return Replayed(window=None, live=live)


def _count(outcome: Outcome, source: Source) -> None:
    source.tally.late += outcome.late
    source.tally.duplicates += outcome.duplicates
    if outcome.refusal is not None:
        source.tally.dead_letters[outcome.refusal.reason.value] += 1
