"""Writes ``docs/benchmarks.md`` from what was measured."""

# A sentence of the page is a line of it.
# ruff: noqa: E501

from collections.abc import Sequence
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

`make bench ROWS=pure` measures what needs no server, and only prints it. `KEEP=yes` writes it here. `make bench ROWS="join alarms"` measures rows whose names begin so. `make bench COMPARE=REV` measures another revision beside this one.
"""
_ALONE: Final = "No server takes part: one process, one thread."
_HISTORY: Final = """\
The records are in Kafka before anybody reads them. The bare loops do the like without any care: nothing is checked, merged by event time, restored or retried, and windows are simply the last frames and samples. No Python program on these clients costs less.
The stand-in for Triton speaks its protocol by gRPC and answers at once, so that only our own work is seen."""
_RUN: Final = """\
What of an alarm's delay is physics, and what is ours:

- A furnace's frames come on its window's instants, so the frame that closes the video's side comes 0.72 s after the window's end. The bound of 200 ms is within that.
- Samples of the currents come each 500 ms, and the bound is 500 ms. A message of the meter ends with the sample that closes the current's side, so it comes 0.5 s to 1.0 s after the window's end.
- The later of both comes 0.79 s after the window's end in the mean. No code of ours can be sooner.
- The rest is ours: from sending to the score, and from the score to the alarm record.
- The window is the one with which the alarm's on-delay of 5.5 s was over. That delay ends 0.26 s before the end of this window, as windows are 1.44 s apart."""
_RECOVERY: Final = """\
The group waits 6 s for the process that was killed, from its last heartbeat on (`MELTWATCH_SESSION_TIMEOUT_S`). The new one starts meanwhile: some two seconds of processor time, mostly imports. So 6 s is the floor on an idle machine, and a busy one adds to it. A member with a name (`MELTWATCH_GROUP_INSTANCE_ID`) that comes back under it is not waited for."""
_PEERS: Final = """\
Versions stand in `tests/bench/peers/requirements.txt`, the code beside it. Each is written as its own documentation advises. Neither has what the join promises: no check of messages, no lateness, no idle modality, no quality, no window that survives a restart as it was."""
_SOAK: Final = "Frames are small, Triton is the stand-in. A whole look-back is sent before. It runs only when asked for: `make bench ROWS={} KEEP=yes`."
SECTIONS: Final = {
    "join.": ("The join alone", _ALONE),
    "message.": ("Messages", _ALONE),
    "score.": ("From a verdict to a score", _ALONE),
    "alarms.": ("The rules of the alarms alone", _ALONE),
    "growth.": ("Growth", _ALONE),
    "peers.": ("Peers", _PEERS),
    "stream.history.": ("From Kafka to scores: 40 furnaces, 130 s sent at once", _HISTORY),
    "stream.triton.": ("The same with the real Triton", ""),
    "manager.": ("The alarm manager", "A healthy plant's scores, sent at once."),
    "run": ("A run of two simulated furnaces", _RUN),
    "recovery.": ("After a kill", _RECOVERY),
    "soak.long.": (
        "A thousand furnaces for ten minutes, at a fifth of real time",
        _SOAK.format("soak.long"),
    ),
    "soak.short.": ("Sixty furnaces for two minutes", _SOAK.format("soak.short")),
}
"""By the beginning of a figure's name: title and words."""


def page(record: Record) -> str:
    """Return the page."""
    parts = [_INTRODUCTION, _setting(record)]
    for begin, (title, words) in SECTIONS.items():
        figures = [each for name, each in record.figures.items() if name.startswith(begin)]
        if figures:
            said = f"{words}\n\n" if words else ""
            parts.append(f"## {title}\n\n{said}{table(figures)}\n\n{_measured(figures)}\n")
    parts.append(_missed(record))
    return "\n".join(parts)


def _setting(record: Record) -> str:
    lines = [f"| {name} | {value} |" for name, value in record.setting.items()]
    return "## Measured on\n\n" + "\n".join(["| what | is |", "|---|---|", *lines]) + "\n"


def _measured(figures: Sequence[Figure]) -> str:
    """When and where, from the first figure to the last."""
    moments = sorted({each.measured for each in figures})
    if len(moments) == 1:
        return f"Measured {moments[0]}."
    return f"Measured from {moments[0]} to {moments[-1]}."


def _missed(record: Record) -> str:
    missed = [each for each in record.figures.values() if each.is_met is False]
    lines = [_shortfall(each) for each in missed] or ["- None."]
    lines += [
        f"- `{name}` could not be measured, or not whole: {why}"
        for name, why in record.failed.items()
    ]
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
