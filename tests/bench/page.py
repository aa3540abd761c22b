"""Writes ``docs/benchmarks.md`` from what was measured."""

# A sentence of the page is a line of it.
# ruff: noqa: E501

from typing import Final

from tests.bench.figure import Figure, table
from tests.bench.ledger import Record
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "benchmarks.md"
_INTRODUCTION: Final = """\
# Speed

This page is written by `make bench`. Do not edit it: change `tests/bench/` and run that again.

- All data are simulated: random frames and currents, in the form that producers send.
- Values are processor time of all threads of a process, unless the unit says otherwise. A busy machine makes them larger too, but far less than times on the clock.
- **Bold** is the median of the runs, with the least and the largest beside it.
- A baseline ran in the same minutes as ours, in turn with it. The last column says how many times as much ours takes.
- A goal is for a quiet machine. A goal that is missed is said to be missed.

`make bench ROWS=pure` measures what needs no server. `make bench ROWS="join alarms"` measures rows whose names begin so. `make bench COMPARE=REV` measures another revision beside this one.
"""
SECTIONS: Final = {
    "join.": "The join alone",
    "message.": "Messages",
    "score.": "From a verdict to a score",
    "alarms.": "The rules of the alarms alone",
    "stream.history.": "From Kafka to scores, 40 furnaces' history of 130 s sent at once",
    "stream.triton.": "The same with the real Triton",
    "manager.": "The alarm manager",
    "run": "meltwatch run with two simulated furnaces",
    "recovery.": "After a kill",
    "growth.": "Growth",
    "peers.": "Peers",
}


def page(record: Record) -> str:
    """Return the page."""
    parts = [_INTRODUCTION, _setting(record)]
    for begin, title in SECTIONS.items():
        figures = [each for name, each in record.figures.items() if name.startswith(begin)]
        if figures:
            parts.append(f"## {title}\n\n{table(figures)}\n")
    parts.append(_missed(record))
    return "\n".join(parts)


def _setting(record: Record) -> str:
    lines = [f"| {name} | {value} |" for name, value in record.setting.items()]
    return "## Measured on\n\n" + "\n".join(["| what | is |", "|---|---|", *lines]) + "\n"


def _missed(record: Record) -> str:
    missed = [each for each in record.figures.values() if each.is_met is False]
    lines = [_shortfall(each) for each in missed] or ["- None."]
    lines += [f"- `{name}` was not measured: {why}" for name, why in record.failed.items()]
    return "## Goals that are missed\n\n" + "\n".join(lines) + "\n"


def _shortfall(each: Figure) -> str:
    assert each.goal is not None
    found = each.first_ratio if each.goal.of_ratio else each.value
    assert found is not None
    unit = "×" if each.goal.of_ratio else each.unit
    return f"- `{each.name}`: {found:.3g} {unit}, expected {each.goal}."


def write(record: Record) -> None:
    """Write the page."""
    PAGE.write_text(page(record))
