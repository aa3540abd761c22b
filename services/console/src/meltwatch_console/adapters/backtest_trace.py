"""The scores of one furnace in a backtest, thinned out to what a picture can show: peaks stay."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from meltwatch_schemas.backtest import BacktestRun
from meltwatch_schemas.bounds import Logit
from meltwatch_schemas.instants import UtcTime, ns_from_utc
from meltwatch_schemas.json_message import FurnaceId, Message
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC
from pydantic import Field

MOST_COLUMNS: Final = 1_000


class StoredWindow(Message):
    """A line of ``windows.jsonl``, as far as a trace needs it."""

    furnace_id: FurnaceId = Field(description="Whose.")
    window_end: UtcTime = Field(description="Its end.")
    logit: Logit | None = Field(description="Calibrated log-odds; null where unscored.")


class TraceColumn(NamedTuple):
    """Windows that one column of the picture shows: its end, their lowest and highest logit."""

    end_ms: int
    low: float
    high: float


def trace_of(lines: Iterable[bytes], furnace_id: str, run: BacktestRun) -> list[TraceColumn]:
    """Return the trace of a furnace over the span of a run, at most 1,000 columns.

    Parameters
    ----------
    lines
        Of ``windows.jsonl``.

    Raises
    ------
    pydantic.ValidationError
        If a line that names the furnace is none.
    """
    name = furnace_id.encode()
    begin_ns, end_ns = ns_from_utc(run.from_), ns_from_utc(run.to)
    step_ns = max(-(-(end_ns - begin_ns) // MOST_COLUMNS), PUBLISHED_SPEC.hop_ns)
    columns: dict[int, TraceColumn] = {}
    for line in lines:
        if name not in line:
            continue
        window = StoredWindow.from_json(line)
        if window.furnace_id != furnace_id or window.logit is None:
            continue
        if not run.from_ <= window.window_end < run.to:
            continue
        number = (ns_from_utc(window.window_end) - begin_ns) // step_ns
        columns[number] = _with(columns.get(number), window.window_end, window.logit)
    return [columns[number] for number in sorted(columns)]


def _with(column: TraceColumn | None, at: datetime, logit: float) -> TraceColumn:
    end_ms, value = ns_from_utc(at) // NS_PER_MS, round(logit, 3)
    if column is None:
        return TraceColumn(end_ms, value, value)
    return TraceColumn(max(column.end_ms, end_ms), min(column.low, value), max(column.high, value))
