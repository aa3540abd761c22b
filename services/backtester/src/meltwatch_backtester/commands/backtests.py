"""``meltwatch backtests``: those that there are, which stay, and how two of them differ."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.backtest_folder import (
    BacktestEntry,
    NoBacktestError,
    list_backtests,
    read_backtest,
)
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_schemas.backtest import BacktestDifference, BacktestRun, difference_of
from meltwatch_schemas.instants import rfc3339
from meltwatch_schemas.raises import RaiseAnswer, RaiseOccasion
from meltwatch_schemas.wording import day_and_clock

from meltwatch_backtester.commands.options import DEFAULT_FOLDER, AsJson

_HEAD: Final = (
    "FOLDER", "RAN", "FROM", "TO", "MODEL", "THRESHOLDS", "VERDICT", "RAISES", "LATER", "JUDGED",
)  # fmt: skip
Folder = Annotated[Path, Parameter(allow_leading_hyphen=False, help="Folder of a backtest.")]
Folders = Annotated[
    Path, Parameter("DIR", allow_leading_hyphen=False, help="Folder of their folders.")
]
Kept = Annotated[int, Parameter("--keep", validator=Number(gte=0), help="So many stay.")]


def list_(folder: Folders = DEFAULT_FOLDER, /, *, as_json: AsJson = False) -> int:
    """List backtests, the newest first: span, model, thresholds, raises live and replayed."""
    entries = _entries(folder)
    if as_json:
        print_json([entry_document(each) for each in entries])
        return 0
    rows = [_row(each, each.run) for each in entries if each.run is not None]
    print_lines(*_columns([_HEAD, *rows]) if rows else [f"no backtest in {folder}"])
    print_lines(*(f"{each.name}: {each.reason}" for each in entries if each.run is None))
    return 0


def prune(folder: Folders = DEFAULT_FOLDER, /, *, keep: Kept, as_json: AsJson = False) -> int:
    """Delete all backtests but the newest. What is not the folder of a whole one stays."""
    old = [each.name for each in _entries(folder) if each.run is not None][keep:]
    for name in old:
        try:
            shutil.rmtree(folder / name)
        except OSError as error:
            raise BadUsage(f"{folder / name}: expected to delete it, got {error}") from None
    if as_json:
        print_json(old)
    else:
        print_lines(*(f"deleted {folder / name}" for name in old))
    return 0


def _entries(folder: Path) -> list[BacktestEntry]:
    try:
        return list_backtests(folder)
    except NoBacktestError as error:
        raise BadUsage(f"expected a folder of backtests, {error}") from None


def compare(a: Folder, b: Folder, /, *, as_json: AsJson = False) -> int:
    """Show what two backtests do not have in common: settings, counts, alarms of one alone."""
    one, other = _read(a), _read(b)
    found = difference_of(one, other)
    if as_json:
        print_json(found.model_dump(mode="json", by_alias=True))
    else:
        print_lines(*_difference_lines(found))
    return 0


def entry_document(entry: BacktestEntry) -> dict[str, Any]:
    """Return what is listed of a folder, for programs."""
    told: dict[str, Any] = {"name": entry.name, "reason": entry.reason or None}
    if entry.run is None:
        return told
    run = entry.run.model_dump(mode="json", by_alias=True, exclude={"alarms", "windows"})
    if run["answer"] is not None:
        del run["answer"]["occasions"]
    return told | {"finished": entry.finished and rfc3339(entry.finished)} | run


def _read(folder: Path) -> BacktestRun:
    try:
        run = read_backtest(folder).run
    except NoBacktestError as error:
        raise BadUsage(f"expected the folder of a backtest, got {folder}: {error}") from None
    assert run is not None  # noqa: S101 - else it is refused
    return run


def _row(entry: BacktestEntry, run: BacktestRun) -> tuple[str, ...]:
    answer = run.answer
    return (
        entry.name,
        day_and_clock(entry.finished) if entry.finished else "–",
        day_and_clock(run.from_),
        day_and_clock(run.to),
        f"{run.model.name} {run.model.version}",
        run.tried,
        run.comparison.verdict,
        f"{answer.before} → {answer.after}" if answer else "–",
        _later(answer.median_shift_s if answer else None),
        _judged(run),
    )


def _judged(run: BacktestRun) -> str:
    if run.labels is None:
        return "–"
    kept = [
        f"{count.kept or 0} {word} kept, {count.lost or 0} lost"
        for word, count in (("true", run.labels.true_alarm), ("false", run.labels.false_alarm))
        if count.labels and count.kept is not None
    ]
    return "; ".join(kept) or "–"


def _later(shift_s: float | None) -> str:
    if shift_s is None:
        return "–"
    return f"{abs(shift_s):.1f} s {'sooner' if shift_s < 0 else 'later'}" if shift_s else "0 s"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _difference_lines(found: BacktestDifference) -> Iterator[str]:
    if found.facts:
        rows = [("", found.a, found.b), *((each.name, each.a, each.b) for each in found.facts)]
        yield from _columns(rows)
    else:
        yield f"{found.a} and {found.b}: the same settings and counts"
    if found.from_ is None or found.to is None:
        yield "no span in common: raises are not compared"
    elif found.raises is None:
        yield "raises are not compared: one of them is of an earlier version"
    else:
        yield from _raise_lines(found.raises)


def _raise_lines(raises: RaiseAnswer) -> Iterator[str]:
    yield raises.sentence
    for each in raises.occasions:
        if each.shift_s != 0:
            verdict = "" if each.verdict is None else f", judged {each.verdict.replace('_', ' ')}"
            yield f"  {each.alarm_id}: {_which(each)}{verdict}"


def _which(occasion: RaiseOccasion) -> str:
    before, after = occasion.before, occasion.after
    if before is None or after is None:
        at = before or after
        return f"{'second' if before is None else 'first'} alone, {at and rfc3339(at)}"
    return f"{rfc3339(before)}, {_later(occasion.shift_s)} in the second"
