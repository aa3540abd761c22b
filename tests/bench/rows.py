"""Every row of the benchmark, by name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.bench import growth_rows, peer_rows, plant_rows, run_rows, stream_rows
from tests.bench.comparison import Comparison
from tests.bench.figure import Figure
from tests.bench.guard import COMPARISONS
from tests.bench.soak_rows import LONG, SHORT
from tests.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured; it may give several figures.

    Attributes
    ----------
    name
        By which it is picked.
    measure
        Does it on a stage.
    needs_servers
        Whether it starts any.
    only_asked
        Whether it is too long for a run of all.
    """

    name: str
    measure: Callable[[Stage], Iterable[Figure]]
    needs_servers: bool = True
    only_asked: bool = False


def rows() -> dict[str, Row]:
    """Return all rows, in the order of the page."""
    found = [Row(name, _alone(each), needs_servers=False) for name, each in COMPARISONS.items()]
    found += [
        Row("growth.furnaces", lambda _: growth_rows.furnaces(), needs_servers=False),
        Row("growth.memory", lambda _: growth_rows.memory(), needs_servers=False),
        Row("growth.frames", lambda _: growth_rows.frames(), needs_servers=False),
        Row("stream.history", stream_rows.history),
        Row("stream.triton", stream_rows.triton),
        Row("manager", plant_rows.manager),
        Row("recovery", plant_rows.recovery),
        Row("run", run_rows.run),
        *(Row(each.name, each.measure, only_asked=True) for each in (LONG, SHORT)),
        Row("peers.bytewax", peer_rows.bytewax),
        Row("peers.quixstreams", peer_rows.quixstreams),
    ]
    return {row.name: row for row in found}


def _alone(comparison: Comparison) -> Callable[[Stage], Iterable[Figure]]:
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
    if not word:
        return not row.only_asked
    return row.name.startswith(word) or (word == "pure" and not row.needs_servers)
