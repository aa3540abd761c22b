"""``meltwatch sources import``: the currents of a historian, for a backtest or a replay."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.located import located
from meltwatch_chassis.progress import progress
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.topics import DEFAULT_PARTITIONS, Topic, replay_prefix
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester import bootstrap
from meltwatch_backtester.adapters.history_tables import (
    HistoryRow,
    HistoryTable,
    csv_rows,
    parquet_rows,
)
from meltwatch_backtester.commands.options import AsJson
from meltwatch_backtester.domain.history_rows import HistoricalSample, RowReader, RowRules
from meltwatch_backtester.domain.imported import HistoryGrid
from meltwatch_backtester.pipeline.importing import Chunks, into_recording, into_replay
from meltwatch_backtester.ports import TopicPart
from meltwatch_backtester.settings import Settings

Write = Callable[[ChunkIdentity, Chunks], dict[str, Any]]
"""Writes chunks and returns what the summary says of where they went."""
_DONE, _SOME_REFUSED = 0, 1
_ROWS: Final = {"csv": csv_rows, "parquet": parquet_rows}
_SOURCE: Final = "historian"
_COUNTS: Final = ("samples", "repeated", "backward", "refused")


@Parameter(name="*")
@dataclass(frozen=True)
class TableOptions:
    """How the table is written."""

    time: Annotated[str, Parameter("--time", metavar="COLUMN", help="Column of the time.")] = "time"
    values: Annotated[
        tuple[str, str, str],
        Parameter("--values", metavar="COLUMN", help="Columns of phases a, b and c."),
    ] = ("a", "b", "c")
    time_format: Annotated[
        str | None, Parameter(help="As of strptime; RFC 3339 or a number since 1970 if absent.")
    ] = None
    zone: Annotated[
        str | None, Parameter(help="Zone of times that name none, such as Europe/Berlin.")
    ] = None
    decimal_comma: Annotated[bool, Parameter(help="Numbers have a decimal comma.")] = False
    scale: Annotated[
        float, Parameter(validator=Number(gt=0), help="Amperes of one unit: 1000 of kA.")
    ] = 1.0
    hold: Annotated[
        float,
        Parameter(validator=Number(gte=0, lte=120), help="How long a value stands, s."),
    ] = 2.0

    def table(self, path: Path) -> HistoryTable:
        """Return which columns are wanted."""
        return HistoryTable(path, self.time, self.values)

    def rules(self) -> RowRules:
        """Return how rows are written.

        Raises
        ------
        BadUsage
            If nobody knows the zone.
        """
        try:
            zone = None if self.zone is None else ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError) as error:
            raise BadUsage(f"--zone: expected one such as Europe/Berlin, got {self.zone!r}") from (
                error
            )
        return RowRules(zone, self.time_format, self.decimal_comma, self.scale)


@Parameter(name="*")
@dataclass(frozen=True)
class ImportTarget:
    """Where the currents go."""

    output: Annotated[
        Path | None, Parameter(metavar="DIR", help="Into a recording: a new or empty folder.")
    ] = None
    replay: Annotated[
        str | None, Parameter(metavar="NAME", help="Into the currents topic of this replay.")
    ] = None
    partitions: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1, lte=10_000), help="Of the topics of a recording; 12 if absent."
        ),
    ] = None

    def opened(self) -> Write:
        """Return what writes there.

        Raises
        ------
        BadUsage
            If it is none or two, or the folder is not empty.
        """
        if (self.output is None) is (self.replay is None):
            raise BadUsage("expected --output DIR or --replay NAME")
        if self.output is not None:
            return _recording(self.output, self.partitions or DEFAULT_PARTITIONS)
        if self.partitions is not None:
            raise BadUsage("--partitions: expected none beside --replay, whose topics are there")
        return _replay(str(self.replay))


def import_history(
    address: Annotated[str, Parameter("ADDRESS", help="csv:FILE or parquet:FILE.")],
    /,
    *,
    furnace: Annotated[str, Parameter(metavar="ID", help="Whose currents they are.")],
    options: TableOptions = TableOptions(),
    target: ImportTarget = ImportTarget(),
    as_json: AsJson = False,
) -> int:
    """Turn the currents of a historian's export into a recording, or write them for a replay."""
    scheme, _, name = address.partition(":")
    if scheme not in _ROWS or not name:
        raise BadUsage(f"expected csv:FILE or parquet:FILE, got {address!r:.100}")
    try:
        check_furnace_id(furnace)
    except ContractViolation as error:
        raise BadUsage(f"--furnace: {error.detail}") from error
    table, reader = options.table(Path(name.removeprefix("//"))), RowReader(options.rules())
    write = target.opened()
    table.check()
    identity = ChunkIdentity(
        furnace_id=furnace,
        source_id=_SOURCE,
        boot_id=hashlib.sha256(repr((table.digest(), options)).encode()).hexdigest()[:16],
        seq=0,
        ingest_time_ns=0,
        run_id=target.replay,
    )
    grid = HistoryGrid(identity, int(options.hold * NS_PER_S))
    with progress("importing", "records") as advance:
        chunks = Chunks(grid.chunks(_samples(_ROWS[scheme](table), reader)), advance)
        written = write(identity, chunks)
    if not chunks.count:
        raise BadUsage(f"{table.path}: expected currents, got none{_first_refusal(reader)}")
    counts = {name: getattr(reader, name) for name in _COUNTS}
    refusals = [{"line": line, "why": why} for line, why in reader.refusals]
    told = {"records": chunks.count, "refusals": refusals}
    _tell(reader, chunks.times() | counts | written | told, as_json=as_json)
    # One row with a time far ahead makes all later ones go back.
    return _SOME_REFUSED if reader.refused or reader.backward else _DONE


def _first_refusal(reader: RowReader) -> str:
    return "; line {}: {}".format(*reader.refusals[0]) if reader.refusals else ""


def _samples(rows: Iterator[HistoryRow], reader: RowReader) -> Iterator[HistoricalSample]:
    for row in rows:
        if row.fault is not None:
            reader.spoiled(row.line, row.fault)
        elif (sample := reader.take(row.line, row.time, row.values)) is not None:
            yield sample


def _recording(folder: Path, partitions: int) -> Write:
    sink = RecordingWriter(folder)

    def write(identity: ChunkIdentity, chunks: Chunks) -> dict[str, Any]:
        key = identity.furnace_id.encode()
        part = TopicPart(Topic.CURRENTS, partition_of(key, partitions))
        into_recording(sink, part, partitions, chunks)
        return {"folder": str(folder)}

    return write


def _replay(name: str) -> Write:
    settings = located(Settings, os.environ, "kafka")
    try:
        prefix = replay_prefix(settings.topic_prefix, name)
    except ValueError as error:
        raise BadUsage(f"--{error}") from error

    def write(identity: ChunkIdentity, chunks: Chunks) -> dict[str, Any]:
        with bootstrap.replay_topic(settings, prefix) as sink:
            there = into_replay(sink, identity, chunks, SystemClock().now_ns())
        return {"topic_prefix": prefix, "there_already": there}

    return write


def _tell(reader: RowReader, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    where = summary.get("folder") or summary["topic_prefix"]
    there = summary.get("there_already")
    print_line(
        f"{summary['from']} to {summary['to']}: {reader.samples} rows made {summary['records']} "
        f"records in {where}{f', {there} of them before' if there else ''}; {reader.repeated} "
        f"repeated, {reader.backward} backward, {reader.refused} refused"
    )
    for line, why in reader.refusals:
        print_line(f"  line {line}: {why}")
