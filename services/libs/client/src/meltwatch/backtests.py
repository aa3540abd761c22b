"""Backtests from their folders, and what other thresholds would have done: no server is asked."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from meltwatch.errors import BacktestError, MissingPackageError, one_line
from meltwatch.instants import us_of
from meltwatch.table import ArrowTable
from meltwatch.trials import (
    TIME,
    FurnaceLevels,
    StoredRows,
    ThresholdOutcome,
    by_furnace,
    levels_of,
    outcome_of,
    setpoint_of,
)

if TYPE_CHECKING:
    from meltwatch_schemas.alarm import AlarmRecord
    from meltwatch_schemas.backtest import BacktestRun, TriedPoint

_OVERHEAT: Final = "OVERHEAT"
_WINDOWS: Final = pa.schema(
    [
        ("furnace_id", pa.string()),
        ("window_end", TIME),
        ("status", pa.string()),
        pa.field("logit", pa.float64(), metadata={"unit": "log-odds"}),
        pa.field("live_logit", pa.float64(), metadata={"unit": "log-odds"}),
        ("live_status", pa.string()),
        pa.field("surprise", pa.float64(), metadata={"unit": "1"}),
        ("portrait", pa.string()),
        ("difference", pa.string()),
    ]
)
_ALARMS: Final = pa.schema(
    [
        ("alarm_id", pa.string()),
        ("furnace_id", pa.string()),
        ("cause", pa.string()),
        ("state", pa.string()),
        ("raise_time", TIME),
        ("clear_time", TIME),
        ("window_end", TIME),
        pa.field("score", pa.float64(), metadata={"unit": "log-odds"}),
    ]
)


def open_backtest(folder: str | os.PathLike[str]) -> "StoredBacktest":
    """Return a backtest by the folder that ``meltwatch backtest`` has written.

    Raises
    ------
    BacktestError
        If it is none, or was not finished.
    MissingPackageError
        If the rule's code is not installed: ``meltwatch-client[backtest]``.
    """
    try:
        from meltwatch_chassis.backtest_folder import NoBacktestError, read_backtest  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        raise MissingPackageError("meltwatch-core") from error
    path = Path(folder).resolve()
    try:
        entry = read_backtest(path)
    except NoBacktestError as error:
        raise BacktestError(f"{path}: {error}") from error
    if entry.run is None:
        raise BacktestError(f"{path}: {entry.reason}")
    return StoredBacktest(path, entry.run)


class StoredBacktest:
    """A finished backtest.

    Attributes
    ----------
    path
        Its folder.
    run_id
        Of the question on its data.
    start, end
        The span of window ends; ``end`` not included.
    """

    def __init__(self, path: Path, run: "BacktestRun") -> None:
        self.path = path
        self.run_id = run.run_id
        self.start, self.end = run.from_, run.to
        self._points = run.alarms

    def __repr__(self) -> str:
        return f"<backtest {self.run_id}, {self.start} to {self.end}>"

    @cached_property
    def windows(self) -> ArrowTable:
        """Every window in the order of the replay: its score, live's, and how they differ."""
        rows = [
            {**line, "live_logit": live.get("logit"), "live_status": live.get("status")}
            for line in self._lines("windows.jsonl")
            for live in [line.get("live") or {}]
        ]
        return self._table(rows, _WINDOWS)

    @cached_property
    def alarms(self) -> ArrowTable:
        """Every record of the replay's alarms, in order."""
        return self._table([_flat(record) for record in self._records()], _ALARMS)

    def try_threshold(
        self,
        on: float,
        off: float | None = None,
        *,
        alarm: str | None = None,
        on_delay_s: float | None = None,
        off_delay_s: float | None = None,
    ) -> ThresholdOutcome:
        """Say what other thresholds would have raised, by the rule itself over the stored scores.

        Parameters
        ----------
        on, off
            Log-odds; surprises for a NOVELTY alarm. Without ``off`` the alarm's own stays, or
            ``on`` if that is lower.
        alarm
            One alarm id; None tries every OVERHEAT alarm.
        on_delay_s, off_delay_s
            None keeps the alarm's own.

        Raises
        ------
        BacktestError
            If thresholds are in the wrong order, there is no such alarm, or the folder was written
            by a version that did not keep delays.
        """
        if not (math.isfinite(on) and (off is None or -math.inf < off <= on)):
            raise BacktestError(f"expected finite thresholds with off at most on, got {on}, {off}")
        raised = []
        for point in self._asked(alarm):
            setpoint = setpoint_of(point, on, off, (on_delay_s, off_delay_s))
            judged = self._scores if point.novelty_on is None else self._surprises
            levels = judged.get(point.alarm_id.rpartition("/")[0])
            found = [] if levels is None else levels.activations(point, setpoint)
            raised += [(point.alarm_id, activation) for activation in found]
        return outcome_of(on, off, raised)

    def _asked(self, alarm: str | None) -> "Sequence[TriedPoint]":
        judged = [point for point in self._points if point.imbalance_on is None]
        found = [
            point
            for point in judged
            if point.alarm_id == alarm
            or (alarm is None and point.alarm_id.rpartition("/")[2] == _OVERHEAT)
        ]
        if alarm is not None and not found:
            known = ", ".join(point.alarm_id for point in judged[:5]) or "none"
            raise BacktestError(
                f"expected an alarm that score or portrait judges ({known}), got {alarm}"
            )
        if any(point.on_delay_s is None for point in found):
            raise BacktestError(
                f"{self.path}: expected a folder that holds delays; this one is of an earlier "
                "version: run the backtest again"
            )
        return found

    @cached_property
    def _scores(self) -> dict[str, FurnaceLevels]:
        return self._read_levels("logit")

    @cached_property
    def _surprises(self) -> dict[str, FurnaceLevels]:
        return self._read_levels("surprise")

    def _read_levels(self, name: str) -> dict[str, FurnaceLevels]:
        """Return levels of each furnace; what stands before the span comes right before it."""
        try:
            columns = [
                self.windows.arrow.column(each)
                for each in ("furnace_id", "window_end", name, "portrait")
            ]
            within = by_furnace(zip(*(_plain(column) for column in columns), strict=True))
            before = by_furnace(
                (
                    str(line["furnace_id"]),
                    _us_of(line["window_end"]),
                    _number(line["logit"] if name == "logit" else line.get(name)),
                    line.get("portrait"),
                )
                for line in self._lines("before.jsonl")
            )
            return {
                furnace_id: levels_of(before.get(furnace_id, StoredRows()), rows, name)
                for furnace_id, rows in within.items()
            }
        except (LookupError, ValueError, TypeError, OverflowError) as error:
            raise self._damage("before.jsonl or windows.jsonl", error) from error

    def _records(self) -> "Iterator[AlarmRecord]":
        from meltwatch_schemas.alarm import AlarmRecord  # noqa: PLC0415 - optional

        for line in self._raw_lines("alarms.jsonl"):
            try:
                yield AlarmRecord.from_json(line)
            except ValueError as error:
                raise self._damage("alarms.jsonl", error) from error

    def _table(self, rows: list[dict[str, Any]], schema: pa.Schema) -> ArrowTable:
        times = [field.name for field in schema if field.type == TIME]
        try:
            for row in rows:
                row.update({name: _us_of(row.get(name)) for name in times})
            return ArrowTable(pa.Table.from_pylist(rows, schema))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise self._damage("a line", error) from error

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        for line in self._raw_lines(name):
            try:
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise TypeError("expected an object")  # noqa: TRY301 - all damage is told alike
            except (ValueError, TypeError, RecursionError) as error:
                raise self._damage(name, error) from error
            yield found

    def _raw_lines(self, name: str) -> Iterator[bytes]:
        from meltwatch_chassis.backtest_folder import (  # noqa: PLC0415 - optional
            MAX_WINDOWS_BYTES,
            NoBacktestError,
            backtest_file,
            lines_of,
        )

        root, folder = self.path.parent, self.path.name
        try:
            with backtest_file(root, folder, name, MAX_WINDOWS_BYTES) as number:
                yield from lines_of(number)
        except NoBacktestError as error:
            raise BacktestError(f"{self.path}: {error}") from error

    def _damage(self, name: str, error: Exception) -> BacktestError:
        return BacktestError(f"{self.path}: {name} is damaged: {one_line(error)}")


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if column.type == TIME:
        return list(column.cast(pa.int64()).to_pylist())
    values = column.to_pylist()
    return [_number(value) for value in values] if column.type == pa.float64() else list(values)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _us_of(text: Any) -> int | None:
    """Return a time in microseconds since 1970; None stays."""
    if text is None or isinstance(text, int):
        return text
    found = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return us_of(found)


def _flat(record: "AlarmRecord") -> dict[str, Any]:
    return {
        "alarm_id": record.alarm_id,
        "furnace_id": record.equipment_path,
        "cause": record.transition.cause,
        "state": record.state.value,
        "raise_time": record.raise_time,
        "clear_time": record.clear_time,
        "window_end": record.evidence.window_end,
        "score": record.evidence.score,
    }
