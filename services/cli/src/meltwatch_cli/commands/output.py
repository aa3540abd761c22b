"""What all listings share: JSON for programs, columns for people."""

import shutil
import sys
from collections.abc import Iterable
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.terminal import print_json, print_line, print_lines, print_notice
from meltwatch_schemas.text import escaped

from meltwatch_cli.domain.columns import columns

__all__ = [
    "BAD_VERDICT",
    "DONE",
    "STALE",
    "AsJson",
    "print_json",
    "print_line",
    "print_lines",
    "print_notice",
    "print_table",
    "screen_width",
]

AsJson = Annotated[bool, Parameter("--json", help="Print JSON instead of text.")]
"""The option of every listing."""

DONE: Final = 0
BAD_VERDICT: Final = 1
STALE: Final = 3
_NARROWEST: Final = 20


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a table to standard output; no cell is folded, so what is longest comes last."""
    cells = [[escaped(cell) for cell in row] for row in rows]
    for line in columns(list(headings), cells):
        print_line(line)


def screen_width() -> int | None:
    """Return how many columns a person sees at once; None where a program reads."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _NARROWEST)
