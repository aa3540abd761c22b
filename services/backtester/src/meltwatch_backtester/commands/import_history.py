"""``meltwatch sources import``: the currents of a historian, as a recording for ``backtest``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from meltwatch_backtester.adapters.history_tables import (
    HistoryRow,
    HistoryTable,
    csv_rows,
    parquet_rows,
)
from meltwatch_backtester.adapters.recording_writer import RecordingWriter
from meltwatch_backtester.commands.options import AsJson
from meltwatch_backtester.domain.history_rows import HistoricalSample, RowReader, RowRules
from meltwatch_backtester.domain.imported import HistoryGrid, records_of
from meltwatch_backtester.domain.manifest import Manifest
from meltwatch_backtester.ports import OffsetRange, TopicPart

_DONE, _SOME_REFUSED = 0, 1
_ROWS: Final = {"csv": csv_rows, "parquet": parquet_rows}
_NO_END: Final = 2**62
_SOURCE: Final = "historian"
_PREFIX: Final = "meltwatch"
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


def import_history(
    address: Annotated[str, Parameter("ADDRESS", help="csv:FILE or parquet:FILE.")],
    /,
    *,
    furnace: Annotated[str, Parameter(metavar="ID", help="Whose currents they are.")],
    output: Annotated[Path, Parameter(metavar="DIR", help="A new or empty folder.")],
    options: TableOptions = TableOptions(),
    partitions: Annotated[
        int, Parameter(validator=Number(gte=1, lte=10_000), help="Of the topics.")
    ] = 12,
    as_json: AsJson = False,
) -> int:
    """Turn the currents of a historian's export into a recording that backtest replays."""
    scheme, _, name = address.partition(":")
    if scheme not in _ROWS or not name:
        raise BadUsage(f"expected csv:FILE or parquet:FILE, got {address!r:.100}")
    try:
        check_furnace_id(furnace)
    except ContractViolation as error:
        raise BadUsage(f"--furnace: {error.detail}") from error
    table, reader = options.table(Path(name.removeprefix("//"))), RowReader(options.rules())
    table.check()
    identity = ChunkIdentity(
        furnace_id=furnace,
        source_id=_SOURCE,
        boot_id=table.digest()[:16],
        seq=0,
        ingest_time_ns=0,
    )
    grid = HistoryGrid(identity, int(options.hold * NS_PER_S))
    chunks = _Spanned(grid.chunks(_samples(_ROWS[scheme](table), reader)))
    part = TopicPart(Topic.CURRENTS, partition_of(furnace.encode(), partitions))
    manifest = _write(RecordingWriter(output), part, partitions, chunks)
    if manifest is None:
        raise BadUsage(f"{table.path}: expected currents, got none{_first_refusal(reader)}")
    times = manifest.model_dump(mode="json", by_alias=True, include={"since", "until"})
    counts = {name: getattr(reader, name) for name in _COUNTS}
    refusals = [{"line": line, "why": why} for line, why in reader.refusals]
    told = {"folder": str(output), "records": chunks.count, "refusals": refusals}
    _tell(reader, times | counts | told, as_json=as_json)
    # One row with a time far ahead makes all later ones go back.
    return _SOME_REFUSED if reader.refused or reader.backward else _DONE


@dataclass
class _Spanned:
    """Passes chunks on and notes from when to when they reach."""

    chunks: Iterator[CurrentChunk]
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def __iter__(self) -> Iterator[CurrentChunk]:
        for chunk in self.chunks:
            self.first_ns = self.first_ns if self.count else chunk.event_time_ns
            self.last_ns = chunk.last_event_ns
            self.count += 1
            yield chunk


def _first_refusal(reader: RowReader) -> str:
    return "; line {}: {}".format(*reader.refusals[0]) if reader.refusals else ""


def _samples(rows: Iterator[HistoryRow], reader: RowReader) -> Iterator[HistoricalSample]:
    for row in rows:
        if row.fault is not None:
            reader.spoiled(row.line, row.fault)
        elif (sample := reader.take(row.line, row.time, row.values)) is not None:
            yield sample


def _write(
    sink: RecordingWriter, part: TopicPart, partitions: int, chunks: _Spanned
) -> Manifest | None:
    """Write the recording; where it ends is known only behind its last record."""
    records = records_of(chunks, part.topic.under(_PREFIX), part.partition)
    written = sink.write(part, OffsetRange(0, _NO_END), records)
    if not chunks.count:
        return None
    begin_ns = chunks.first_ns // NS_PER_MS * NS_PER_MS
    manifest = Manifest(
        topic_prefix=_PREFIX,
        partitions=partitions,
        recorded_partitions=(part.partition,),
        since=utc_from_ns(begin_ns),
        until=utc_from_ns((chunks.last_ns // NS_PER_MS + 1) * NS_PER_MS),
        partial=False,
        parts=(written.model_copy(update={"end": chunks.count}),),
    )
    sink.finish(manifest)
    return manifest


def _tell(reader: RowReader, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    print_line(
        f"{summary['from']} to {summary['to']}: {reader.samples} rows made {summary['records']} "
        f"records in {summary['folder']}; {reader.repeated} repeated, {reader.backward} backward, "
        f"{reader.refused} refused"
    )
    for line, why in reader.refusals:
        print_line(f"  line {line}: {why}")
