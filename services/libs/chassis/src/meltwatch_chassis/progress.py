"""How far long work is: a bar on a terminal, else a line now and then; on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from meltwatch_schemas.window import NS_PER_S
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.terminal import print_notice

_LINE_EVERY_S: Final = 5.0
Advance = Callable[[int], None]


@contextmanager
def progress(what: str, unit: str, total: int | None = None) -> Iterator[Advance]:
    """Show how far a piece of work is.

    Parameters
    ----------
    what
        The work, as a participle: ``recording``.
    unit
        What is counted: ``records``.
    total
        How many there are, None if nobody knows; it may be an estimate.

    Yields
    ------
    Tells that so many more are done.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console, unit) as bar:
            task = bar.add_task(what, total=total)
            yield lambda count: bar.update(task, advance=count)
    else:
        yield Lines(what, unit, total, SystemClock()).advance


class Lines:
    """Progress as plain lines.

    Parameters
    ----------
    what, unit, total
        As for ``progress``.
    clock
        Says when the next line is due.
    """

    def __init__(self, what: str, unit: str, total: int | None, clock: Clock) -> None:
        self._what = what
        self._unit = unit
        self._total = total
        self._clock = clock
        self._done = 0
        self._began_ns = clock.monotonic_ns()
        self._said_s = 0.0

    def advance(self, count: int) -> None:
        """Count, and write a line if it is time."""
        self._done += count
        elapsed_s = (self._clock.monotonic_ns() - self._began_ns) / NS_PER_S
        if elapsed_s - self._said_s >= _LINE_EVERY_S:
            self._said_s = elapsed_s
            print_notice(f"{self._what}: {self._text(elapsed_s)}")

    def _text(self, elapsed_s: float) -> str:
        rate = self._done / elapsed_s
        if self._total is None:
            return f"{self._done} {self._unit}, {rate:.0f}/s"
        left_s = max(self._total - self._done, 0) / rate if rate else float("inf")
        return f"{self._done} of {self._total} {self._unit}, {rate:.0f}/s, {left_s:.0f} s left"


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def _bar(console: Console, unit: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        TextColumn(f"{{task.completed:,.0f}} {unit}"),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
