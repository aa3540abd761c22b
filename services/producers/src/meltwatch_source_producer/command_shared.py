"""What the commands of sources share: exit codes, columns, and what must be installed."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from cyclopts import Parameter
from meltwatch_chassis import logging
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.settings import PlantSettings, load
from meltwatch_chassis.terminal import print_line
from meltwatch_schemas.text import escaped
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from meltwatch_sources.domain.finding import SourceFinding
    from meltwatch_sources.plant import PlantSources

DONE, RED, WRONG, AWAY = 0, 1, 2, 3
WORDS: Final = {DONE: "good", RED: "red", WRONG: "misconfigured", AWAY: "unreachable"}
PATIENCE_S: Final = 30.0
"""How much longer than asked for a source may take: to be opened, to answer."""
AsJson = Annotated[bool, Parameter("--json", help="Print JSON instead of text.")]
OneFurnace = Annotated[str, Parameter("FURNACE", help="Of the plant file.")]
Result = TypeVar("Result")


def require_sources() -> None:
    """Refuse where the libraries of cameras and meters are not installed, and keep them quiet.

    Raises
    ------
    ConfigurationError
        If they are not installed.
    """
    if find_spec("meltwatch_sources") is None:
        raise ConfigurationError(
            "meltwatch sources: expected the package meltwatch-producers with its option 'live', "
            "found it without; install meltwatch-producers[live]"
        )
    # Libraries write a line an attempt; what is lost is told by the command, once.
    logging.configure("sources", "error", "console")


def plant_file() -> "tuple[Path, PlantSources]":
    """Return the plant file and the sources that it names.

    Raises
    ------
    ConfigurationError
        If there is none, or it is wrong elsewhere than in a source.
    """
    from meltwatch_sources.plant import read_sources  # noqa: PLC0415 - may be absent

    path = load(PlantSettings, os.environ).plant_file
    if path is None:
        raise ConfigurationError("expected MELTWATCH_PLANT_FILE, got none")
    return path, read_sources(path)


def sources_of(furnace: str | None) -> "tuple[Path, PlantSources]":
    """Return the plant file and the sources of one furnace, or of all.

    Raises
    ------
    BadUsage
        If it names none.
    """
    path, plant = plant_file()
    videos = tuple(each for each in plant.videos if furnace in {None, each.furnace_id})
    currents = tuple(each for each in plant.currents if furnace in {None, each.furnace_id})
    if not videos and not currents:
        raise BadUsage(
            f"{path}: expected a furnace with 'video:' or 'current:', got none of that name"
        )
    return path, replace(plant, videos=videos, currents=currents)


def print_columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table to standard output; what is longest comes last."""
    table = [list(headings), *([escaped(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_line("  ".join(cells).rstrip())


def print_findings(findings: "Iterable[SourceFinding]") -> None:
    """Write a line a finding: what was seen, and what to do."""
    for each in findings:
        print_line(f"  {each.code}: {each.said}; {each.advice}")


class SecondsLine:
    """Says on a terminal how far something is, on one line; a pipe or a file sees nothing."""

    def __init__(self, what: str, seconds: float) -> None:
        self._what = escaped(what)
        self._seconds = seconds
        self._is_shown = sys.stderr.isatty()

    async def show(self) -> None:
        """Count the seconds until cancelled."""
        passed = 0
        try:
            while True:
                more = "" if passed <= self._seconds else ", waiting for those that are slow"
                self._write(f"\r\x1b[K{self._what}: {passed} of {self._seconds:.0f} s{more}")
                await asyncio.sleep(1)
                passed += 1
        finally:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._is_shown:
            with suppress(OSError):
                sys.stderr.write(text)
                sys.stderr.flush()


async def in_thread(work: Callable[[], Result]) -> Result:
    """Do something that blocks in a thread that holds up no end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def tell(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # of the work

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - it is raised by who waits
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


def waited_for(work: Coroutine[Any, Any, Result], what: str, seconds: float) -> Result:
    """Run something and show how long it takes.

    Parameters
    ----------
    work
        What to run; what libraries let fall in its loop is dropped.
    what
        It is called.
    seconds
        It should take.
    """

    async def run() -> Result:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        threadpool_limits(1)  # as every service does
        shown = asyncio.create_task(SecondsLine(what, seconds).show())
        try:
            return await work
        finally:
            shown.cancel()

    return asyncio.run(run())
