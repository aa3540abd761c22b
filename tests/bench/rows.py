"""Every row of the benchmark, by name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.comparison import Comparison
from tests.bench.figure import Figure
from tests.bench.guard import COMPARISONS


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured; it may give several figures.

    Attributes
    ----------
    name
        By which it is picked.
    measure
        Does it; a folder for servers and logs is given.
    needs_servers
        Whether it starts any.
    """

    name: str
    measure: Callable[[Path], Iterable[Figure]]
    needs_servers: bool = True


def rows() -> dict[str, Row]:
    """Return all rows, in the order of the page."""
    found = [Row(name, _alone(each), needs_servers=False) for name, each in COMPARISONS.items()]
    return {row.name: row for row in found}


def _alone(comparison: Comparison) -> Callable[[Path], Iterable[Figure]]:
    return lambda _: [comparison.measure()]


def picked(words: Iterable[str]) -> Iterator[Row]:
    """Give the rows that words name: a row, its beginning, or ``pure`` for those without servers.

    Raises
    ------
    ValueError
        If a word names none.
    """
    known = rows()
    asked = [word for word in words if word] or [""]
    for word in asked:
        if not any(_is_named(row, word) for row in known.values()):
            raise ValueError(f"expected pure, or rows of {', '.join(known)}, got {word!r}")
    return (row for row in known.values() if any(_is_named(row, word) for word in asked))


def _is_named(row: Row, word: str) -> bool:
    return row.name.startswith(word) or (word == "pure" and not row.needs_servers)
