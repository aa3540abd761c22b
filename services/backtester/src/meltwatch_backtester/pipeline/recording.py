"""Saves what it takes to replay a span."""

from collections.abc import Callable, Iterator

from meltwatch_schemas.alarm import utc_from_ns
from meltwatch_schemas.record import RawRecord

from meltwatch_backtester.domain.manifest import Manifest
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.scope import INPUTS, Scope
from meltwatch_backtester.ports import History, RecordingSink


def save(
    history: History,
    span: Span,
    scope: Scope,
    sink: RecordingSink,
    on_records: Callable[[int], None],
    *,
    partial: bool,
) -> Manifest:
    """Save the records of a scope and return the manifest.

    Parameters
    ----------
    history, span, scope
        What to save: the scope of the span.
    sink
        Where to.
    on_records
        Told how many offsets further it is.
    partial
        Something of the span may be missing.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    HistoryGap
        If retention deletes what is being read.
    BadUsage
        If the sink cannot take it.
    """

    def counted(records: Iterator[RawRecord], start: int, end: int) -> Iterator[RawRecord]:
        at = start
        for record in records:
            yield record
            on_records(record.offset + 1 - at)
            at = record.offset + 1
        on_records(end - at)

    parts = tuple(
        sink.write(part, offsets, counted(history.read(part, *offsets), *offsets))
        for part, offsets in sorted(scope.items())
    )
    manifest = Manifest(
        topic_prefix=history.prefix,
        partitions=history.partitions,
        recorded_partitions=tuple(sorted({p.partition for p in scope if p.topic in INPUTS})),
        since=utc_from_ns(span.from_ns),
        until=utc_from_ns(span.to_ns),
        partial=partial,
        parts=parts,
    )
    sink.finish(manifest)
    return manifest
