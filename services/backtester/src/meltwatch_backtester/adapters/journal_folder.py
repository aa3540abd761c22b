"""The alarm journal as a folder of Parquet files, written and read by DuckDB.

``FOLDER/TOPIC/000001-2026-11-29.parquet``: rows in the order of their offsets, as Kafka had them.
Each file says in its metadata which offsets it covers, so a journal needs nothing beside its files.
The newest file is replaced as a whole, under its own name, so a reader sees one state or the other.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
from meltwatch_core.alarms.kpi.lines import Logged
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS
from pydantic import ValidationError

from meltwatch_backtester.domain.volume import FileName, VolumeFacts
from meltwatch_backtester.errors import BadUsage, BrokenJournal

_DRAFT: Final = "draft"
_LOCK: Final = ".writing"
_FACTS: Final = "meltwatch"
_PATTERN: Final = re.compile(r"[*?\[]")
_COLUMNS: Final = {
    "offset": "BIGINT",
    "timestamp_ms": "BIGINT",
    "key": "BLOB",
    "value": "BLOB",
    "alarm_id": "VARCHAR",
    "epoch": "BIGINT",
    "seq": "BIGINT",
    "refused": "VARCHAR",
}
_JOURNAL: Final = """
WITH journal AS (
    SELECT * FROM read_parquet($files, filename => true, union_by_name => true)
    JOIN places USING (filename)
)
"""
_STRETCH: Final = """
SELECT alarm_id, value, timestamp_ms, life
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY alarm_id, timestamp_ms < $begin, value IS NULL
        ORDER BY life DESC, epoch DESC NULLS LAST, seq DESC NULLS LAST, "offset" DESC
    ) AS age
    FROM journal WHERE refused IS NULL AND timestamp_ms < $end
)
WHERE timestamp_ms >= $begin OR age = 1
ORDER BY life, place, "offset"
"""
"""Those before the stretch tell in which state it begins: of each alarm the newest one."""
_DENIED: Final = """
SELECT count(*) FROM journal
WHERE refused IS NULL AND timestamp_ms >= $begin AND timestamp_ms < $end
AND TRY(decode(value)->>'code') = 'not_permitted'
"""
_UNAPPROVED: Final = """
SELECT count(*) FROM journal
WHERE refused IS NULL AND timestamp_ms >= $begin AND timestamp_ms < $end
AND value IS NOT NULL
AND TRY(decode(value)->>'approved_by') IS NULL AND TRY(decode(value)->>'$.change.by') IS NULL
"""
_UNREADABLE: Final = """
SELECT count(*) FROM journal
WHERE refused IS NOT NULL AND NOT starts_with(refused, 'replay ')
AND timestamp_ms >= $begin AND timestamp_ms < $end
"""
_FIRST: Final = "SELECT min(timestamp_ms) FROM journal"
_MESSAGES: Final[dict[Topic, type[KeyedMessage]]] = {
    Topic.ALARMS: AlarmRecord,
    Topic.ALARM_COMMANDS: AlarmCommand,
    Topic.ALARM_RESULTS: CommandResult,
    Topic.ALARM_POINTS: AlarmPoint,
}


@dataclass(frozen=True, slots=True)
class StoredVolume:
    """A file of the journal, and what it says of itself."""

    file: Path
    facts: VolumeFacts


class JournalFolder:
    """Reads a journal, and adds to it.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Nothing is fetched from outside, whatever a query needs.
        self._database = duckdb.connect(
            ":memory:",
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep others from writing to it.

        Raises
        ------
        BadUsage
            If the folder cannot be written, or somebody else writes to it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise BadUsage(f"{self.path}: expected to write alone, another run does") from None
        except OSError as error:
            raise BadUsage(f"{self.path}: cannot be written: {error.strerror}") from error

    def volumes(self, topic: Topic) -> list[StoredVolume]:
        """Return the volumes of a topic in their order.

        Raises
        ------
        BrokenJournal
            If a file is spoilt.
        """
        folder = self.path / topic.value
        try:
            names = [FileName.of(file.name) for file in folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BrokenJournal(f"{folder}: cannot be read: {error.strerror}") from error
        files = [folder / str(name) for name in sorted(name for name in names if name)]
        return [StoredVolume(file, self._facts(file)) for file in files]

    def write(
        self, topic: Topic, volume: VolumeFacts, records: Sequence[RawRecord], *, old: Path | None
    ) -> Path:
        """Write a volume with further records; see the top for how.

        Parameters
        ----------
        topic
            Of the records.
        volume
            What it says of itself afterwards.
        records
            To be added.
        old
            The file that holds what the volume has so far; None for a new one.

        Raises
        ------
        BadUsage
            If the disk is full, or the file cannot be written. The old one stays.
        """
        folder = self.path / topic.value
        try:
            folder.mkdir(exist_ok=True)
            file = old or folder / str(FileName(self._next_number(topic), volume.day))
            self._take_in([_row(topic, record) for record in records])
        except OSError as error:
            raise BadUsage(f"{folder}: cannot be written: {_said(error)}") from error
        if old is not None:
            self._rows("INSERT INTO fresh BY NAME SELECT * FROM read_parquet($files)", [old])
        draft = folder / _DRAFT
        try:
            self._database.execute(
                f'COPY (FROM fresh ORDER BY "offset") TO {_text(str(draft))} (FORMAT parquet, '
                f"COMPRESSION zstd, KV_METADATA {{{_FACTS}: {_text(volume.model_dump_json())}}})"
            )
            _settle(draft, file)
        except (duckdb.Error, OSError) as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise BadUsage(f"{file}: cannot be written: {_said(error)}") from error
        return file

    def alarms(
        self, volumes: Sequence[StoredVolume], begin_ns: int, end_ns: int
    ) -> Iterator[Logged]:
        """Yield the alarm records of a stretch, and before them the newest of each alarm.

        Parameters
        ----------
        volumes
            Of the alarms topic.
        begin_ns, end_ns
            Wall clock at which Kafka was given the records, ns UTC.

        Raises
        ------
        BrokenJournal
            If a file is spoilt.
        """
        rows = self._rows_of(volumes, _STRETCH, **_span_ms(begin_ns, end_ns))
        for alarm_id, value, timestamp_ms, life in rows:
            try:
                record = None if value is None else AlarmRecord.from_json(value)
            except ValidationError:
                continue  # an older release took it
            yield Logged(alarm_id, record, timestamp_ms * NS_PER_MS, life)

    def count_refused(self, volumes: Sequence[StoredVolume], begin_ns: int, end_ns: int) -> int:
        """Count the commands of a stretch that somebody had no right to give.

        Parameters
        ----------
        volumes
            Of the results.
        begin_ns, end_ns
            Wall clock, ns UTC.
        """
        return self._count(volumes, _DENIED, **_span_ms(begin_ns, end_ns))

    def count_unapproved(self, volumes: Sequence[StoredVolume], begin_ns: int, end_ns: int) -> int:
        """Count the alarm points that were written in a stretch and do not say by whom.

        Parameters
        ----------
        volumes
            Of the alarm points.
        begin_ns, end_ns
            Wall clock, ns UTC.
        """
        return self._count(volumes, _UNAPPROVED, **_span_ms(begin_ns, end_ns))

    def count_unreadable(self, volumes: Sequence[StoredVolume], begin_ns: int, end_ns: int) -> int:
        """Count the records of a stretch that every reader refuses; see ``count_refused``."""
        return self._count(volumes, _UNREADABLE, **_span_ms(begin_ns, end_ns))

    def first_ms(self, volumes: Sequence[StoredVolume]) -> int | None:
        """Return the timestamp of the oldest record, None if there is none."""
        rows = self._rows_of(volumes, _FIRST)
        return next((first for (first,) in rows), None)

    def _count(self, volumes: Sequence[StoredVolume], query: str, **parameters: int) -> int:
        return next((int(count) for (count,) in self._rows_of(volumes, query, **parameters)), 0)

    def _rows_of(self, volumes: Sequence[StoredVolume], query: str, **parameters: int) -> list[Any]:
        """Return what a query gives of ``journal``: rows with their life and file's place."""
        if not volumes:
            return []
        self._database.execute(
            "CREATE OR REPLACE TEMP TABLE places AS SELECT unnest(?::VARCHAR[]) AS filename, "
            "unnest(?::BIGINT[]) AS place, unnest(?::BIGINT[]) AS life",
            [
                [str(volume.file) for volume in volumes],
                list(range(len(volumes))),
                [volume.facts.life for volume in volumes],
            ],
        )
        return self._rows(_JOURNAL + query, [volume.file for volume in volumes], **parameters)

    def _rows(self, query: str, files: Sequence[Path], **parameters: int) -> list[Any]:
        named: dict[str, Any] = {"files": [_pattern(file) for file in files], **parameters}
        try:
            return self._database.execute(query, named).fetchall()
        except duckdb.Error as error:
            raise self._broken(files, error) from error

    def _broken(self, files: Sequence[Path], error: Exception) -> BrokenJournal:
        """Return which file is spoilt."""
        for file in files:
            try:
                self._database.execute("FROM read_parquet(?)", [[_pattern(file)]]).fetchall()
            except duckdb.Error as cause:
                return _spoilt(file, cause)
        return BrokenJournal(f"{self.path}: cannot be read: {_said(error)}")

    def _facts(self, file: Path) -> VolumeFacts:
        try:
            found = self._database.execute(
                "SELECT value FROM parquet_kv_metadata(?) WHERE key = ?", [_pattern(file), _FACTS]
            ).fetchone()
            return VolumeFacts.model_validate_json(found[0] if found else b"")
        except (duckdb.Error, ValidationError) as error:
            raise _spoilt(file, error) from error

    def _next_number(self, topic: Topic) -> int:
        names = [FileName.of(file.name) for file in (self.path / topic.value).iterdir()]
        return max((name.number for name in names if name), default=0) + 1

    def _take_in(self, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _COLUMNS]
        shown = ", ".join(f'unnest(?::{kind}[]) AS "{name}"' for name, kind in _COLUMNS.items())
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {shown}", columns)


def _row(topic: Topic, record: RawRecord) -> tuple[Any, ...]:
    # What is longer is refused by every reader; a byte more than that is enough to see it.
    value = None if record.value is None else bytes(record.value[: MAX_RECORD_BYTES + 1])
    alarm_id = refused = message = None
    try:
        alarm_id = alarm_id_of(record.key)
        message = None if value is None else read_json(record, _MESSAGES[topic])
    except ContractViolation as error:
        refused = escaped(f"{error.reason.value}: {error.detail}")
    # A replay is no part of what happened, whatever its numbers.
    if isinstance(message, AlarmRecord) and message.run_id is not None:
        refused = f"replay {message.run_id}"
    numbered = message if isinstance(message, AlarmRecord) else None
    return (
        record.offset,
        record.timestamp_ms,
        record.key,
        value,
        alarm_id,
        numbered.epoch if numbered else None,
        numbered.seq if numbered else None,
        refused,
    )


def _settle(draft: Path, file: Path) -> None:
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _spoilt(file: Path, error: Exception) -> BrokenJournal:
    return BrokenJournal(
        f"{file}: expected a volume of an alarm journal, got: {_said(error)}; "
        "move it away, the next run writes anew what Kafka still has"
    )


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return escaped(" ".join(text.split()))[:300]


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pattern(file: Path) -> str:
    """Return a file to read. To DuckDB a name is a pattern: each sign of one stands for itself."""
    return _PATTERN.sub(r"[\g<0>]", str(file))


def _span_ms(begin_ns: int, end_ns: int) -> dict[str, int]:
    return {"begin": begin_ns // NS_PER_MS, "end": -(-end_ns // NS_PER_MS)}
