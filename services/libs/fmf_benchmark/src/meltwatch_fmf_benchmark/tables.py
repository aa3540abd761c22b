"""The tables of the second layout: comma-separated, a header, seconds as text."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

from meltwatch_fmf_benchmark.errors import FormatError
from meltwatch_fmf_benchmark.recording import SAMPLE_PERIOD_NS, SECOND_NS, Currents
from meltwatch_fmf_benchmark.repair import Repair

MAX_BYTES: Final = 128 << 20
"""Two days of frames have a table of 90 MB."""
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


def read_times(path: Path) -> list[str]:
    """Return the first column of a table: one second a frame, as text."""
    return [row[0] for _, row in _rows(path, 1)]


def read_currents(path: Path, *, in_order: bool = True) -> tuple[dict[str, int], Currents]:
    """Return the position of each second by its text, and the samples.

    Rows belong together in pairs, and the first of a pair tells the second of both. A last row
    without its pair is left out, as by the published loader.

    Parameters
    ----------
    in_order
        Refuse seconds that repeat or go backward. Otherwise each pair is the next second, and a
        second that is named twice is the first of them.
    """
    rows = list(_rows(path, 4))
    pairs = len(rows) // 2
    if not pairs:
        raise FormatError(f"{path}: expected two rows a second, got {len(rows)} in all")
    seconds: dict[str, int] = {}
    for number, (_, row) in enumerate(rows[: 2 * pairs : 2]):
        seconds.setdefault(row[0], number)
    begins = [_parsed(row[0], path, line) for line, row in rows[: 2 * pairs : 2]]
    begins_ns = np.array([int((t - begins[0]).total_seconds()) * SECOND_NS for t in begins])
    later = np.flatnonzero(np.diff(begins_ns) <= 0)
    if later.size and in_order:
        line, row = rows[2 * (int(later[0]) + 1)]
        raise FormatError(
            f"{path}:{line}: expected each second later than the one before, got {row[0]} after "
            f"{rows[2 * int(later[0])][1][0]}; --repair {Repair.SECONDS} takes each pair of rows "
            f"as the next second"
        )
    if later.size:
        begins_ns = np.arange(pairs, dtype=np.int64) * SECOND_NS
    times_ns = np.repeat(begins_ns, 2) + np.tile([0, SAMPLE_PERIOD_NS], pairs)
    samples = [_amperes(row, path, line) for line, row in rows[: 2 * pairs]]
    return seconds, Currents(times_ns.astype(np.int64), np.array(samples, dtype=np.float32))


def text_of(path: Path) -> str:
    """Return what a file of text holds, within bounds.

    Raises
    ------
    FormatError
        If it is no file, cannot be read, or is too large.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise FormatError(f"{path}: expected a file, got something else")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FormatError(f"{path}: expected this file, got {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise FormatError(f"{path}: expected at most {MAX_BYTES} bytes, got more")
    return content.decode("utf-8-sig")


def _rows(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells below the header; empty lines are passed over."""
    try:
        reader = csv.reader(text_of(path).splitlines(keepends=True))
        next(reader, None)
        for row in reader:
            if row and len(row) < columns:
                raise FormatError(
                    f"{path}:{reader.line_num}: expected {columns} columns, got {len(row)}"
                )
            if row:
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: expected comma-separated text, got {error}") from error


def _parsed(time: str, path: Path, line: int) -> datetime:
    try:
        return datetime.strptime(time, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise FormatError(
            f"{path}:{line}: expected a time like 2018-04-19 21:40:52, got {time!r}"
        ) from None


def _amperes(row: list[str], path: Path, line: int) -> list[float]:
    expected = f"{path}:{line}: expected three currents in amperes"
    try:
        amperes = [float(cell) for cell in row[1:4]]
    except ValueError:
        raise FormatError(f"{expected}, got {row[1:4]}") from None
    if not all(map(isfinite, amperes)):
        raise FormatError(f"{expected}, got {row[1:4]}")
    return amperes
