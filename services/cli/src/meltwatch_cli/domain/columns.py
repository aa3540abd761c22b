"""Columns of text: as wide as their widest cell, counted as a terminal counts."""

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest
from textwrap import TextWrapper
from typing import Final

_GAP: Final = "  "
_WIDE: Final = frozenset("WF")


def width_of(text: str) -> int:
    """Return how many columns of a terminal a printable text takes; Chinese takes two each."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in _WIDE)
        for c in text
    )


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return headings and rows as lines; the last column is not padded, nothing is folded."""
    table = [headings, *rows] if headings else list(rows)
    widths = [max(map(width_of, cells)) for cells in zip_longest(*table, fillvalue="")]
    return [_line(row, widths) for row in table]


def wrapped(text: str, indent: str, width: int | None) -> list[str]:
    """Return a text as indented lines that break at blanks alone; one line without a width."""
    if width is None:
        return [f"{indent}{text}"]
    wrapper = TextWrapper(
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.wrap(text) or [indent]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        f"{cell}{' ' * (width - width_of(cell))}"
        for cell, width in zip(cells, widths, strict=False)
    )
    return _GAP.join(padded).rstrip()
