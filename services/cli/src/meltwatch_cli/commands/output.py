"""What all listings share: JSON for programs, a table for people."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
"""The option of every listing."""

DONE: Final = 0
BAD_VERDICT: Final = 1


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    print_line(json.dumps(value, indent=2, ensure_ascii=False))


def print_line(text: str) -> None:
    """Write one line to standard output at once, so that a pipe sees it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_notice(text: str) -> None:
    """Write one line about the command itself to standard error, apart from its results."""
    sys.stderr.write(text + "\n")


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Text | str]]) -> None:
    """Write a table to standard output; cells are shown as they are, without markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    Console().print(table)
