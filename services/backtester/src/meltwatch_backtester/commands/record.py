"""``meltwatch record``: save what it takes to replay a stretch of time."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from meltwatch_chassis.located import located
from meltwatch_chassis.progress import progress
from meltwatch_chassis.recording.manifest import Manifest
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import (
    AsJson,
    Furnaces,
    Partial,
    Since,
    Until,
    span_of,
)
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.scope import INPUTS, Scope, ScopeOptions, scope_of
from meltwatch_backtester.ports import History, RecordingSink
from meltwatch_backtester.settings import Settings


def record(
    *,
    since: Since,
    output: Annotated[Path, Parameter(metavar="DIR", help="A new or empty folder.")],
    until: Until = "now",
    furnace: Furnaces = None,
    partial: Partial = False,
    as_json: AsJson = False,
) -> int:
    """Save the records that a backtest of a stretch of time needs, from Kafka into a folder."""
    span = span_of(since, until)
    settings = located(Settings, os.environ, "kafka")
    sink = RecordingWriter(output)
    with bootstrap.kafka_history(settings) as history:
        partitions = bootstrap.partitions_of(history, furnace or ())
        scope = _scope(history, span, partitions, partial=partial)
        total = sum(offsets.end - offsets.start for offsets in scope.values())
        with progress("recording", "records", total) as advance:
            manifest = save(history, span, scope, sink, advance, partial=partial)
    summary = _summary(manifest, output)
    if as_json:
        print_json(summary)
    else:
        print_line(_text(summary))
    return 0


def _scope(
    history: History, span: Span, partitions: frozenset[int] | None, *, partial: bool
) -> Scope:
    with progress("looking for what is needed", "scores") as advance:
        options = ScopeOptions(partitions, partial=partial, on_score=lambda: advance(1))
        return scope_of(history, span, options)


def _summary(manifest: Manifest, folder: Path) -> dict[str, Any]:
    segments = [segment for part in manifest.parts for segment in part.segments]
    times = manifest.model_dump(mode="json", by_alias=True, include={"since", "until"})
    return times | {
        "folder": str(folder),
        "partitions": list(manifest.recorded_partitions),
        "records": {topic.value: _records(manifest, topic) for topic in _topics(manifest)},
        "segments": len(segments),
        "bytes": sum(segment.bytes for segment in segments),
        "partial": manifest.partial,
    }


def _topics(manifest: Manifest) -> list[Topic]:
    return sorted({part.topic for part in manifest.parts})


def _records(manifest: Manifest, topic: Topic) -> int:
    parts = (part for part in manifest.parts if part.topic is topic)
    return sum(segment.records for part in parts for segment in part.segments)


def _text(summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} of {topic}" for topic, count in summary["records"].items())
    return (
        f"{summary['from']} to {summary['to']}: {counts}; "
        f"{summary['bytes'] / 1e6:.1f} MB in {summary['segments']} segments, in {summary['folder']}"
    )


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
