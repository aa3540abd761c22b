"""Backtests from their folders, and what other thresholds would have done: no server is asked."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from meltwatch.errors import BacktestError, MissingPackageError
from meltwatch.table import ArrowTable

if TYPE_CHECKING:
    from meltwatch_core.alarms.sweep import Activation, LevelSeries
    from meltwatch_schemas.alarm import AlarmRecord
    from meltwatch_schemas.alarm_point import Setpoint
    from meltwatch_schemas.backtest import BacktestRun, TriedPoint

_OVERHEAT: Final = "OVERHEAT"
_TIME: Final = pa.timestamp("us", "UTC")
_WINDOWS: Final = pa.schema(
    [
        ("furnace_id", pa.string()),
        ("window_end", _TIME),
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
        ("raise_time", _TIME),
        ("clear_time", _TIME),
        ("window_end", _TIME),
        pa.field("score", pa.float64(), metadata={"unit": "log-odds"}),
    ]
)
_RAISED: Final = pa.schema(
    [
        ("alarm_id", pa.string()),
        ("furnace_id", pa.string()),
        ("raise_time", _TIME),
        ("clear_time", _TIME),
        ("window_end", _TIME),
    ]
)


@dataclass(frozen=True)
class ThresholdOutcome:
    """What a set-point would have done.

    Attributes
    ----------
    on, off
        The thresholds, log-odds.
    alarms
        Each time that an alarm was raised: when, by which window, and when it was cleared; a time
        is missing where the alarm stood before the span, or stands at its end.
    """

    on: float
    off: float | None
    alarms: ArrowTable

    @property
    def raises(self) -> int:
        """How often an alarm was raised within the span."""
        return int(len(self.alarms) - self.alarms.arrow.column("raise_time").null_count)


@dataclass(frozen=True)
class _FurnaceScores:
    before: "LevelSeries"
    windows: "LevelSeries"


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
        rows = []
        for point in self._asked(alarm):
            furnace_id = point.alarm_id.rpartition("/")[0]
            setpoint = _tried(point, on, off, (on_delay_s, off_delay_s))
            rows += [
                {"alarm_id": point.alarm_id, "furnace_id": furnace_id, **_times(each)}
                for each in self._activations(furnace_id, point, setpoint)
            ]
        rows.sort(key=lambda row: (row["raise_time"] or 0, row["alarm_id"]))
        return ThresholdOutcome(on, off, ArrowTable(pa.Table.from_pylist(rows, _RAISED)))

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

    def _activations(
        self, furnace_id: str, point: "TriedPoint", setpoint: "Setpoint"
    ) -> "list[Activation]":
        from meltwatch_core.alarms.condition import Condition  # noqa: PLC0415 - optional
        from meltwatch_core.alarms.sweep import activations, recalled  # noqa: PLC0415 - optional

        judged = self._scores if point.novelty_on is None else self._surprises
        scores = judged.get(furnace_id)
        if scores is None:
            return []
        known = None if point.known_until is None else _us(point.known_until)
        begins: Condition = recalled(
            scores.before.after_ns(None if known is None else known * 1000),
            setpoint,
            Condition(active=point.active_before),
        )
        return activations(scores.windows, setpoint, begins)

    @cached_property
    def _scores(self) -> dict[str, _FurnaceScores]:
        return self._read_levels("logit")

    @cached_property
    def _surprises(self) -> dict[str, _FurnaceScores]:
        return self._read_levels("surprise")

    def _read_levels(self, name: str) -> dict[str, _FurnaceScores]:
        """Return levels of each furnace; what stands before the span comes right before it."""
        try:
            columns = [
                self.windows.arrow.column(each)
                for each in ("furnace_id", "window_end", name, "portrait")
            ]
            within = _by_furnace(zip(*(_plain(column) for column in columns), strict=True))
            before = _by_furnace(
                (
                    str(line["furnace_id"]),
                    _us_of(line["window_end"]),
                    _number(line["logit"] if name == "logit" else line.get(name)),
                    line.get("portrait"),
                )
                for line in self._lines("before.jsonl")
            )
            return {
                furnace_id: _levels_of(before.get(furnace_id, _Rows()), rows, name)
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
        times = [field.name for field in schema if field.type == _TIME]
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
        return BacktestError(f"{self.path}: {name} is damaged: {_line(error)}")


def _tried(
    point: "TriedPoint", on: float, off: float | None, delays: tuple[float | None, float | None]
) -> "Setpoint":
    from meltwatch_schemas.alarm_point import Setpoint  # noqa: PLC0415 - optional

    own = (point.on_delay_s, point.off_delay_s)
    on_s, off_s = (
        mine if given is None else given for given, mine in zip(delays, own, strict=True)
    )
    by_portrait = point.novelty_on is not None
    own_off = (point.novelty_off or 0.0) if by_portrait else point.logit_off
    levels = {"on": on, "off": min(own_off, on) if off is None else off}
    judged_by = "novelty" if by_portrait else "logit"
    try:
        return Setpoint.model_validate(
            {
                "logit_on": 0.0,
                "logit_off": 0.0,
                **{f"{judged_by}_{end}": level for end, level in levels.items()},
                "on_delay_s": on_s or 0.0,
                "off_delay_s": off_s or 0.0,
                "k": point.k,
                "n": point.n,
            }
        )
    except ValueError as error:
        raise BacktestError(f"expected a set-point, {_line(error)}") from error


@dataclass(frozen=True)
class _Rows:
    """What is stored of one furnace's windows; places count those of all."""

    ends_us: list[int] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    portraits: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def _by_furnace(rows: "Iterator[tuple[Any, ...]]") -> dict[str, _Rows]:
    found: dict[str, _Rows] = {}
    for place, (furnace_id, end_us, level, portrait) in enumerate(rows):
        known = found.setdefault(furnace_id, _Rows())
        known.ends_us.append(end_us)
        known.levels.append(level)
        known.portraits.append(portrait or "")
        known.places.append(place)
    return found


def _levels_of(before: _Rows, within: _Rows, name: str) -> _FurnaceScores:
    from meltwatch_core.alarms.sweep import LevelSeries  # noqa: PLC0415 - optional

    def series(rows: _Rows, places: Sequence[int]) -> LevelSeries:
        ends, levels = np.array(rows.ends_us, np.int64) * 1000, np.array(rows.levels, float)
        portraits = rows.portraits if name == "surprise" else None
        return LevelSeries.of(ends, levels, places, portraits)

    first = (within.places or [0])[0] - len(before.places)
    return _FurnaceScores(
        series(before, range(first, first + len(before.places))), series(within, within.places)
    )


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if column.type == _TIME:
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
    return _us(found)


def _us(instant: datetime) -> int:
    since = instant - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


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


def _times(activation: "Activation") -> dict[str, int | None]:
    told = {
        "raise_time": activation.raised_ns,
        "clear_time": activation.cleared_ns,
        "window_end": activation.window_end_ns,
    }
    return {name: None if at_ns is None else at_ns // 1000 for name, at_ns in told.items()}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
