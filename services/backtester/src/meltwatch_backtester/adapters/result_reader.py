"""What a backtest said of its windows, read from its folder."""

import json
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.bounds import MAX_SURPRISE, check_real
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.portrait import check_portrait_id

from meltwatch_backtester.adapters.result_folder import BEFORE, RUN, WINDOWS
from meltwatch_backtester.domain.novelty_setpoint import ComparedWindow
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Said

_DAMAGE: Final = (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError)
"""What reading raises if the files were changed by somebody else."""


def span_of_backtest(folder: Path) -> Span:
    """Return the span that a backtest replayed.

    Raises
    ------
    BadUsage
        If the folder is not that of a finished backtest.
    """
    try:
        run = _run(folder)
        return Span(_time_ns(run["from"]), _time_ns(run["to"]))
    except _DAMAGE as error:
        raise _no_backtest(folder, error) from error


def backtest_said(folder: Path) -> Iterator[Said]:
    """Yield what a backtest said of its windows, in the order of the replay.

    Raises
    ------
    BadUsage
        If the folder is not that of a finished backtest.
    """
    yield from _said(folder, WINDOWS)


def backtest_compared(folder: Path) -> Iterator[ComparedWindow]:
    """Yield what a backtest said of portraits; nothing of windows that judged nothing.

    Raises
    ------
    BadUsage
        If the folder is not that of a finished backtest.
    """
    try:
        _run(folder)
        for window in _lines(folder / WINDOWS):
            if window.get("surprise") is not None:
                yield _compared(window)
    except _DAMAGE as error:
        raise _no_backtest(folder, error) from error


def said_before(folder: Path) -> Iterator[Said]:
    """Yield what live said of windows before the span; nothing where the folder does not say.

    Raises
    ------
    BadUsage
        If the folder is not that of a finished backtest.
    """
    if (folder / BEFORE).is_file():
        yield from _said(folder, BEFORE)


def _said(folder: Path, name: str) -> Iterator[Said]:
    try:
        digest = str(_run(folder)["model"]["digest"])
        for window in _lines(folder / name):
            end_ns = _time_ns(window["window_end"])
            yield Said(str(window["furnace_id"]), end_ns, _logit(window["logit"]), digest)
    except _DAMAGE as error:
        raise _no_backtest(folder, error) from error


def _lines(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def _compared(window: Any) -> ComparedWindow:
    surprise, portrait_id = window["surprise"], window["portrait"]
    check_real("surprise", surprise, MAX_SURPRISE, 0.0)
    check_portrait_id("portrait", portrait_id)
    furnace_id = check_furnace_id(window["furnace_id"])
    return ComparedWindow(furnace_id, _time_ns(window["window_end"]), surprise, portrait_id)


def _run(folder: Path) -> Any:
    if not (folder / RUN).is_file():
        raise ValueError(f"expected a file {RUN}")
    return json.loads((folder / RUN).read_text(encoding="utf-8"))


def _logit(value: Any) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"expected a finite logit, got {value}")
    return None if value is None else float(value)


def _time_ns(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text))


def _no_backtest(folder: Path, error: Exception) -> BadUsage:
    return BadUsage(
        f"--backtest: expected the folder of a finished backtest, got {folder}: {error!r}"
    )
