"""The windows of a span, closed where live closed them."""

from collections.abc import Iterator, Mapping
from typing import Final

from meltwatch_chassis.errors import FatalError
from meltwatch_core.join.restore import Past
from meltwatch_schemas.errors import ContractViolation

from meltwatch_backtester.domain.recorded import Closed, RecordedJoiner
from meltwatch_backtester.pipeline.inputs import InputReader
from meltwatch_backtester.pipeline.live_scores import live_scores
from meltwatch_backtester.pipeline.replayed import Replayed, Source, words_beside

_MAX_WAITING: Final = 20_000
"""Records that wait for a window: 14 minutes of ten furnaces, 0.3 GB."""


def recorded_windows(source: Source, pasts: Mapping[str, Past]) -> Iterator[Replayed]:
    """Yield each live window number of a span, in the order of the scores.

    Parameters
    ----------
    source
        What to replay.
    pasts
        By furnace, what its newest score before the span says of it.

    Raises
    ------
    FatalError
        If far more records wait for windows than live can have held.
    """
    joiner = RecordedJoiner(source.partition, source.encoder, pasts, source.topics)
    readers = source.inputs()
    for raw, score in live_scores(source):
        if not source.is_wanted(score):
            continue
        for modality, last in joiner.cut_of(score).items():
            _push_until(last, readers[modality], joiner, source)
        closed = joiner.close(score)
        if closed is None:
            continue
        _count(closed, source)
        yield Replayed(
            window=closed.window,
            live=score,
            offset=raw.offset,
            late=closed.late,
            is_preceded=closed.is_preceded,
            words=words_beside(score),
        )


def _push_until(last: int, reader: InputReader, joiner: RecordedJoiner, source: Source) -> None:
    for entry in reader.until(last):
        content = entry.content
        if isinstance(content, ContractViolation) or not source.wanted(content.identity.furnace_id):
            continue
        joiner.push(content, entry.offset)
        if joiner.waiting > _MAX_WAITING:
            raise FatalError(
                f"partition {source.partition}: expected scores for what stands in the inputs, "
                f"got {joiner.waiting} records that no score speaks of; "
                "choose furnaces by --furnace, or --cuts event-time"
            )


def _count(closed: Closed, source: Source) -> None:
    source.tally.late += closed.late
    source.tally.duplicates += closed.duplicates
    source.tally.dead_letters.update(closed.refusals)
