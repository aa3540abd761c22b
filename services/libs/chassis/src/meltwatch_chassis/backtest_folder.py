"""Folders of backtests, read as what they are: files that anybody may have put there.

No link is followed, nothing but plain files is opened, and no file is parsed that is larger than
a backtest writes. One folder that cannot be read says why, and harms no other.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from meltwatch_schemas.backtest import BacktestRun
from meltwatch_schemas.bounds import ToldText
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.json_message import Message
from meltwatch_schemas.text import escaped
from pydantic import Field, ValidationError

RUN: Final = "run.json"
TIMING: Final = "timing.json"
WINDOWS: Final = "windows.jsonl"
REPORT: Final = "report.html"
MAX_RUN_BYTES: Final = 32 * 1024 * 1024
MAX_REPORT_BYTES: Final = 64 * 1024 * 1024
MAX_WINDOWS_BYTES: Final = 256 * 1024 * 1024
MAX_FOLDERS: Final = 500
_MAX_TIMING_BYTES: Final = 64 * 1024
_MAX_LINE: Final = 64 * 1024
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_LINKED: Final = frozenset({errno.ELOOP, errno.ENOTDIR})
"""What opening a link says that must not be followed."""
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NoBacktestError(ValueError):
    """A folder is not that of a finished backtest; says why."""


class BacktestTiming(Message):
    """What ``timing.json`` says, as far as it is read."""

    finished_at_ns: int = Field(ge=0, lt=2**63, description="Wall clock.")
    version: ToldText = Field(default="", description="Of the program.")


@dataclass(frozen=True, slots=True)
class BacktestEntry:
    """One folder.

    Attributes
    ----------
    name
        Of the folder.
    run
        What it found; None if it cannot be read.
    finished
        When the run ended; None where the folder does not say.
    reason
        Why it cannot be read; empty if it can.
    """

    name: str
    run: BacktestRun | None = None
    finished: datetime | None = None
    reason: str = ""


def read_backtest(folder: Path) -> BacktestEntry:
    """Return what a folder says; the folder itself may be a link, as the user named it.

    Raises
    ------
    NoBacktestError
        If it is not that of a finished backtest.
    """
    with _errors(), _opened_root(folder) as root:
        return _entry(folder.name, root)


def list_backtests(root: Path) -> list[BacktestEntry]:
    """Return the folders of a folder, the newest run first, those that cannot be read last.

    Raises
    ------
    NoBacktestError
        If there is no such folder, or it cannot be read.
    """
    with _errors(), _opened_root(root) as place:
        found = sorted(_changed(place), reverse=True)[:MAX_FOLDERS]
        entries = [_entry_or_reason(name, place) for _, name in found]
    return sorted(entries, key=_age)


@contextmanager
def backtest_file(root: Path, name: str, file: str, most: int) -> Iterator[int]:
    """Give the descriptor of a file in one of the folders of a folder.

    Raises
    ------
    NoBacktestError
        If there is none, or it is larger than ``most`` bytes.
    """
    with _errors(), _opened_root(root) as place, _opened_folder(name, place) as folder:
        number = _opened(file, folder, most)
        try:
            yield number
        finally:
            os.close(number)


def read_named(root: Path, name: str) -> BacktestEntry:
    """Return what one of the folders of a folder says.

    Raises
    ------
    NoBacktestError
        If there is none, or it cannot be read.
    """
    with _errors(), _opened_root(root) as place, _opened_folder(name, place) as folder:
        return _entry(name, folder)


def lines_of(number: int) -> Iterator[bytes]:
    """Yield the lines of an open file.

    Raises
    ------
    NoBacktestError
        If one is longer than any that a backtest writes.
    """
    with os.fdopen(os.dup(number), "rb") as file:
        while line := file.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE:
                raise NoBacktestError(f"expected lines of at most {_MAX_LINE} bytes")
            yield line


def content_of(number: int, most: int) -> bytes:
    """Return what an open file holds, up to some bytes: it may have grown since."""
    with os.fdopen(os.dup(number), "rb") as file:
        return file.read(most)


def _entry_or_reason(name: str, root: int) -> BacktestEntry:
    try:
        with _errors(), _opened_folder(name, root) as folder:
            return _entry(name, folder)
    except NoBacktestError as error:
        return BacktestEntry(escaped(name)[:128], reason=str(error))


def _entry(name: str, folder: int) -> BacktestEntry:
    run = BacktestRun.from_json(_content(RUN, folder, MAX_RUN_BYTES))
    try:
        timing = BacktestTiming.from_json(_content(TIMING, folder, _MAX_TIMING_BYTES))
        finished = utc_from_ns(timing.finished_at_ns)
    except (OSError, ValidationError, NoBacktestError):  # when it ran is beside the point
        finished = None
    return BacktestEntry(name, run, finished)


def _age(entry: BacktestEntry) -> tuple[bool, float, str]:
    newest_first = -entry.finished.timestamp() if entry.finished else 0.0
    return entry.run is None, newest_first, entry.name


def _changed(root: int) -> Iterator[tuple[int, str]]:
    with os.scandir(root) as found:
        for each in found:
            if each.name.startswith("."):
                continue
            if each.is_symlink() or each.is_dir():
                yield each.stat(follow_symlinks=False).st_mtime_ns, each.name


@contextmanager
def _opened_root(root: Path) -> Iterator[int]:
    number = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield number
    finally:
        os.close(number)


@contextmanager
def _opened_folder(name: str, root: int) -> Iterator[int]:
    if not _NAME.fullmatch(name):
        raise NoBacktestError("expected a name of letters, digits, '.', '_' and '-'")
    number = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=root)
    try:
        yield number
    finally:
        os.close(number)


def _content(name: str, folder: int, most: int) -> bytes:
    number = _opened(name, folder, most)
    try:
        return content_of(number, most)
    finally:
        os.close(number)


def _opened(name: str, folder: int, most: int) -> int:
    number = os.open(name, _FLAGS, dir_fd=folder)
    found = os.fstat(number)
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return number
    os.close(number)
    if not stat.S_ISREG(found.st_mode):
        raise NoBacktestError(f"{name}: expected a plain file")
    raise NoBacktestError(f"{name}: expected at most {most} bytes, got {found.st_size}")


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what reading meets into one line."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise NoBacktestError(escaped(f"{RUN}: {where}: {first['msg']}")[:300]) from None
    except FileNotFoundError as error:
        raise NoBacktestError(f"expected a file {error.filename}, found none") from None
    except OSError as error:
        what = "expected no link" if error.errno in _LINKED else error.strerror
        raise NoBacktestError(escaped(f"{error.filename}: {what}")[:300]) from None
