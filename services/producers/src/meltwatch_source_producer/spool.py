"""Records that wait for Kafka, on disk: SQLite keeps them whole, in order and within a bound.

A killed process loses nothing; a power cut costs what was put in since the last checkpoint.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import structlog
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.text import escaped

LEAST_BYTES: Final = 64 * 1024 * 1024
"""Smallest bound of a spool."""
MEMORY_BYTES: Final = 32 * 1024 * 1024
"""Room for what the disk does not take."""
_LOG_BYTES: Final = 16 * 1024 * 1024
"""Part of the bound for the log of changes, which SQLite keeps in a file of its own."""
_PAGE_BYTES: Final = 4096
_DROPPED_AT_ONCE: Final = 16
_DISK: Final = "disk"
_MEMORY: Final = "main"
_UNREADABLE: Final = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"})
_OF_TABLE: Final = "WHERE tbl_name = 'waiting' ORDER BY name"
_TABLE: Final = (
    """
    CREATE TABLE IF NOT EXISTS {place}.waiting (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, furnace BLOB NOT NULL,
        topic TEXT NOT NULL, value BLOB NOT NULL, size INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS {place}.by_age ON waiting (time_ms, id)",
    "CREATE INDEX IF NOT EXISTS {place}.by_furnace ON waiting (furnace, size, time_ms)",
)
_COLUMNS: Final = "time_ms, furnace, topic, value, size"
_PUT: Final = f"INSERT INTO {{place}}.waiting ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - names of ours
_DROP: Final = f"""
DELETE FROM {{place}}.waiting WHERE id IN
    (SELECT id FROM {{place}}.waiting ORDER BY time_ms, id LIMIT {_DROPPED_AT_ONCE})
"""  # noqa: S608 - names of ours
_FORGET: Final = "DELETE FROM {place}.waiting WHERE id = ?"
_ALL: Final = """
SELECT '{disk}' AS place, id, {columns} FROM disk.waiting WHERE id NOT IN (SELECT id FROM main.sent)
UNION ALL SELECT '{memory}' AS place, id, {columns} FROM main.waiting
"""
_OLDEST: Final = (
    _ALL.format(disk=_DISK, memory=_MEMORY, columns=_COLUMNS) + "ORDER BY time_ms, id LIMIT ?"
)
_SIZES: Final = (
    "SELECT furnace, SUM(size), MIN(time_ms) FROM ("  # noqa: S608 - names of ours
    + _ALL.format(disk=_DISK, memory=_MEMORY, columns="furnace, size, time_ms")
    + ") GROUP BY furnace"
)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk that waits.

    Attributes
    ----------
    place, number
        Where it stands in the spool.
    time_ms
        Event time, ms UTC.
    furnace
        Key of its record.
    topic
        Full name.
    value
        Value of its record, whose ingest time is to be filled in.
    """

    place: str
    number: int
    time_ms: int
    furnace: bytes
    topic: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SpoolFigures:
    """How full a spool is.

    Attributes
    ----------
    bytes_by_furnace
        Of the values that wait.
    oldest_ms
        Event time of the oldest record, ms UTC; None of an empty spool.
    dropped
        Records that had no room, since the process began.
    """

    bytes_by_furnace: dict[str, int]
    oldest_ms: int | None
    dropped: int


class _ForeignTables(sqlite3.DatabaseError):
    """The file is a database, and not one of ours."""


class Spool:
    """Takes from any thread; one drain empties it.

    What the disk does not take waits in memory, up to 32 MiB. Without room the oldest go first.

    Parameters
    ----------
    path
        The file, made if it is missing. One process at a time may have it open. A file that SQLite
        cannot read is set aside, under the same name with ``.unreadable``.
    limit_bytes
        Bound of what stands on disk, 64 MiB at least.

    Raises
    ------
    ConfigurationError
        If another process has the file open, or none can be made there.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        if limit_bytes < LEAST_BYTES:
            raise ConfigurationError(
                f"spool {path}: expected a bound of {LEAST_BYTES} bytes at least, got {limit_bytes}"
            )
        self._path = path
        self._pages = (limit_bytes - _LOG_BYTES) // _PAGE_BYTES
        self._changed = threading.Condition()
        self._dropped = 0
        self._problem: str | None = None
        self._database = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False, timeout=0
        )
        self._make_table(_MEMORY)
        self._database.execute(f"PRAGMA max_page_count = {MEMORY_BYTES // _PAGE_BYTES}")
        self._database.execute("CREATE TABLE sent (id INTEGER PRIMARY KEY)")
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._database.close()
            raise ConfigurationError(
                f"spool {path}: expected a file of our own that nobody else has open, got "
                f"{escaped(str(error))}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._database.close()

    def send(self, record: OutgoingRecord) -> None:
        """Put a record in, which has a key, a value and an event time; its headers are not kept.

        If there is no room, the oldest go, and are counted.
        """
        value = record.value or b""
        row = (record.timestamp_ms, record.key, record.topic, value, len(value))
        with self._changed:
            try:
                self._put(_DISK, row)
                self._note(None)
            except sqlite3.DatabaseError as error:
                self._note(error)
                self._put(_MEMORY, row)
            self._changed.notify_all()

    def is_full(self) -> bool:
        """Return False: there is always room, if need be that of the oldest."""
        return False

    def is_idle(self) -> bool:
        """Tell whether nothing waits."""
        return not self.oldest(0, 1)

    def wait(self, timeout_s: float) -> None:
        """Return when something is put in, or after a time."""
        with self._changed:
            self._changed.wait(timeout_s)

    def oldest(self, span_ms: int, most: int) -> list[Waiting]:
        """Return the oldest records, in order of event time.

        Parameters
        ----------
        span_ms
            How far in event time they may lie apart.
        most
            How many at most.
        """
        with self._changed:
            found = [Waiting(*row[:-1]) for row in self._rows(_OLDEST, most)]
        return [one for one in found if one.time_ms <= found[0].time_ms + span_ms]

    def settle(self, records: Sequence[Waiting]) -> None:
        """Forget records: they stand in Kafka, or never will."""
        on_disk = [(one.number,) for one in records if one.place == _DISK]
        in_memory = [(one.number,) for one in records if one.place == _MEMORY]
        with self._changed:
            self._database.executemany(_FORGET.format(place=_MEMORY), in_memory)
            if not on_disk:
                return
            try:
                with self._transaction():
                    self._database.executemany(_FORGET.format(place=_DISK), on_disk)
            except sqlite3.DatabaseError as error:
                # A full disk cannot even forget. They are remembered here; the next process does
                # not know and sends them again, and the join knows them by boot and number.
                self._note(error)
                self._database.executemany("INSERT OR IGNORE INTO sent VALUES (?)", on_disk)

    def figures(self) -> SpoolFigures:
        """Return how full the spool is."""
        with self._changed:
            rows = self._rows(_SIZES)
            sizes = {furnace.decode(errors="replace"): size for furnace, size, _ in rows}
            return SpoolFigures(sizes, min((row[2] for row in rows), default=None), self._dropped)

    def problem(self) -> str | None:
        """Return one line if the disk takes nothing, else None."""
        with self._changed:
            return self._problem

    def _put(self, place: str, row: tuple[object, ...]) -> None:
        put = _PUT.format(place=place)
        try:
            self._database.execute(put, row)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_FULL":
                raise
            # A full disk, unlike a full spool, refuses this too; then nothing is dropped.
            with self._transaction():
                dropped = self._database.execute(_DROP.format(place=place)).rowcount
                self._database.execute(put, row)
            if not self._dropped:
                _log.error("spool_full", path=str(self._path), place=place)
            self._dropped += dropped

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # some failures have ended the transaction already
                self._database.execute("ROLLBACK")
            raise

    def _rows(self, query: str, *arguments: object) -> list[Any]:
        try:
            return self._database.execute(query, arguments).fetchall()
        except sqlite3.DatabaseError as error:
            self._note(error)
            self._replace(error)
            return self._database.execute(query, arguments).fetchall()

    def _note(self, error: sqlite3.Error | None) -> None:
        """Keep what is the matter with the disk; log it once, when it begins."""
        problem = None if error is None else f"spool {self._path}: {escaped(str(error))}"
        if problem is not None and self._problem is None:
            _log.error("spool_not_written", detail=problem, instead="memory")
        self._problem = problem

    def _open(self) -> None:
        try:
            self._attach(str(self._path))
        except sqlite3.DatabaseError as error:
            if not _is_unreadable(error):
                raise
            self._set_aside(error)
            self._attach(str(self._path))

    def _replace(self, error: sqlite3.Error) -> None:
        """Go on with a new file in place of one that cannot be read; without one, in memory."""
        self._set_aside(error)
        try:
            self._attach(str(self._path))
        except (sqlite3.Error, OSError) as again:
            _log.error("spool_not_written", detail=escaped(str(again)), instead="memory")
            self._attach(":memory:")

    def _set_aside(self, error: sqlite3.Error) -> None:
        with suppress(sqlite3.Error):
            self._database.execute("DETACH disk")
        _log.error("spool_set_aside", path=str(self._path), detail=escaped(str(error)))
        for ending in ("-wal", "-shm"):
            Path(f"{self._path}{ending}").unlink(missing_ok=True)
        self._path.replace(f"{self._path}.unreadable")
        self._database.execute("DELETE FROM sent")

    def _attach(self, path: str) -> None:
        execute = self._database.execute
        execute("ATTACH ? AS disk", (path,))
        try:
            execute("PRAGMA disk.locking_mode = EXCLUSIVE")
            execute("PRAGMA disk.journal_mode = WAL")
            execute("PRAGMA disk.synchronous = NORMAL")
            execute(f"PRAGMA disk.journal_size_limit = {_LOG_BYTES // 2}")
            execute(f"PRAGMA disk.max_page_count = {self._pages}")
            with self._transaction():
                self._make_table(_DISK)
                self._require_our_tables()
        except BaseException:
            execute("DETACH disk")
            raise

    def _make_table(self, place: str) -> None:
        for statement in _TABLE:
            self._database.execute(statement.format(place=place))

    def _require_our_tables(self) -> None:
        ours, found = (
            self._database.execute(f"SELECT sql FROM {place}.sqlite_schema {_OF_TABLE}").fetchall()  # noqa: S608 - names of ours
            for place in (_MEMORY, _DISK)
        )
        if ours != found:
            raise _ForeignTables("tables of another version or of somebody else")


def _is_unreadable(error: sqlite3.DatabaseError) -> bool:
    """Tell whether a file cannot be used, as against one that cannot be reached at present."""
    return isinstance(error, _ForeignTables) or error.sqlite_errorname in _UNREADABLE
