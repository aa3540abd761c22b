"""Tables of a historian: CSV by the standard library, Parquet by DuckDB, row by row."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_schemas.text import escaped

from meltwatch_backtester.domain.history_rows import Cell

MAX_BYTES: Final = 16 * 1024**3
"""A furnace-year at ten rows a second; what is larger is a mistake, and is parted."""
MAX_LINE: Final = 65_536
_DELIMITERS: Final = (";", "\t", ",")
_PIECE: Final = 8192
_SHOWN: Final = 10
_WIDE: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row as it stands in its table.

    Attributes
    ----------
    line
        From 1, that of the heading; of Parquet the number of the row.
    time, values
        Its cells; no values if it could not be parted, and then ``fault`` says why.
    fault
        None, or why.
    """

    line: int
    time: Cell = None
    values: tuple[Cell, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """A file, and which of its columns are wanted.

    Attributes
    ----------
    path
        Where it is.
    time, values
        Names of columns.
    """

    path: Path
    time: str
    values: tuple[str, str, str]

    def check(self) -> None:
        """Refuse what is no file, or too large a one.

        Raises
        ------
        BadUsage
            With what was expected.
        """
        if not self.path.is_file():
            raise BadUsage(f"{self.path}: expected a file, there is none")
        if (size := self.path.stat().st_size) > MAX_BYTES:
            raise BadUsage(f"{self.path}: expected at most {MAX_BYTES} bytes, got {size}")

    def digest(self) -> str:
        """Return the SHA-256 of its bytes, hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def places(self, names: Sequence[str]) -> list[int]:
        """Return where the wanted columns stand.

        Raises
        ------
        BadUsage
            If one is missing or there twice.
        """
        for wanted in (self.time, *self.values):
            if names.count(wanted) != 1:
                shown = ", ".join(escaped(name)[:60] for name in names[:_SHOWN])
                raise BadUsage(f"{self.path}: expected one column {wanted!r}, got {shown}")
        return [names.index(wanted) for wanted in (self.time, *self.values)]


def csv_rows(table: HistoryTable) -> Iterator[HistoryRow]:
    """Yield the rows of a CSV file; no cell holds a line break.

    Its heading tells whether semicolons, tabs or commas part cells.

    Raises
    ------
    BadUsage
        If its heading is not as expected, or a line has no end.
    """
    table.check()
    with table.path.open("rb") as file:
        encoding = _WIDE.get(file.read(2), "utf-8-sig")
    with table.path.open(encoding=encoding, errors="replace", newline=None) as text:
        heading = text.readline(MAX_LINE + 1)
        delimiter = max(_DELIMITERS, key=heading.count)
        names = [name.strip() for name in _parted(heading.rstrip("\n"), delimiter)]
        places = table.places(names)
        line = 1
        while written := text.readline(MAX_LINE + 1):
            line += 1
            if len(written) > MAX_LINE:
                raise BadUsage(f"{table.path}:{line}: expected at most {MAX_LINE} characters")
            if not written.strip():
                continue
            try:
                cells = _parted(written.rstrip("\n"), delimiter)
            except csv.Error as error:
                yield HistoryRow(line, fault=str(error))
                continue
            if len(cells) != len(names):
                yield HistoryRow(line, fault=f"expected {len(names)} cells, got {len(cells)}")
                continue
            time, *values = (cells[place] for place in places)
            yield HistoryRow(line, time, tuple(values))


def _parted(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, strict=True), [])


def parquet_rows(table: HistoryTable) -> Iterator[HistoryRow]:
    """Yield the rows of a Parquet file.

    Raises
    ------
    BadUsage
        If it is none, or lacks a column.
    ConfigurationError
        If the package that reads it is not installed.
    """
    table.check()
    try:
        import duckdb  # noqa: PLC0415 - an option, and dear to import
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "parquet: expected the package duckdb; install 'meltwatch-backtester[journal]'"
        ) from error
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "512MB",
        "threads": "1",
        "allow_community_extensions": "false",
    }
    try:
        with closing(duckdb.connect(config=settings)) as connection:
            yield from _selected(connection, table)
    except duckdb.Error as error:
        said = escaped(str(error).partition("\n")[0])[:200]
        raise BadUsage(f"{table.path}: expected Parquet, got {said}") from error


def _selected(connection: Any, table: HistoryTable) -> Iterator[HistoryRow]:
    # A path with a star would be a pattern.
    path = str(table.path.absolute()).replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    table.places(list(kinds))
    time = _quoted(table.time)
    if kinds[table.time] == "TIMESTAMP WITH TIME ZONE":
        time = f"epoch_ns({time})"
    elif kinds[table.time].startswith("TIMESTAMP"):
        time = f"CAST({time} AS VARCHAR)"
    columns = ", ".join([time, *map(_quoted, table.values)])
    found = connection.execute(f"SELECT {columns} FROM read_parquet(?)", [path])  # noqa: S608
    line = 0
    while rows := found.fetchmany(_PIECE):
        for row in rows:
            line += 1
            time_cell, *values = (_cell(cell) for cell in row)
            yield HistoryRow(line, time_cell, tuple(values))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cell(cell: object) -> Cell:
    """Return a cell of a kind that rows may hold; a number of another kind as text."""
    is_plain = cell is None or (isinstance(cell, str | int | float) and not isinstance(cell, bool))
    return cell if is_plain else str(cell)  # type: ignore[return-value] # told by is_plain
