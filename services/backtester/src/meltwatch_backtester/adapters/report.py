"""``report.html``: a backtest for people, made of the files beside it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.alarm import AlarmRecord, ns_from_utc, utc_from_ns

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.adapters.result_folder import REPORT, output_errors
from meltwatch_backtester.domain.chart import HEIGHT, WIDTH, Bar, Chart, TimeAxis, chart_of
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.trace import Activity, Trace, TracedWindow, activities

_TEMPLATE: Final = "report.html.jinja"
_STATUSES: Final = ("scored", "degraded", "unscored", "skipped")


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm in the table: what the replay found beside what happened live."""

    alarm_id: str
    furnace_id: str
    found: Activity
    live: Activity
    setpoint: Mapping[str, Any]
    difference: Mapping[str, Any] | None

    def bars(self, axis: TimeAxis) -> tuple[list[Bar], list[Bar]]:
        """Return when it was active, live and in the replay."""
        return axis.bars(self.live.active), axis.bars(self.found.active)


@dataclass(frozen=True, slots=True)
class FurnacePage:
    """One furnace: its windows by status, its trace, its alarms."""

    furnace_id: str
    windows: Mapping[str, int]
    chart: Chart
    thresholds: list[tuple[float, float]]
    alarms: list[AlarmRow]

    @property
    def is_remarkable(self) -> bool:
        """Tell whether there is something to look at: it is shown open."""
        return bool(self.alarms) or "different" in self.chart.shaded


def write_report(folder: Path) -> None:
    """Write ``report.html`` into the folder of a backtest.

    Parameters
    ----------
    folder
        Holds ``run.json``, ``windows.jsonl``, ``alarms.jsonl`` and ``live-alarms.jsonl``. The page
        follows from them alone and needs nothing else, no network either.
    """
    run = json.loads((folder / "run.json").read_bytes())
    span = Span(_ns(run["from"]), _ns(run["to"]))
    alarms = _alarm_rows(folder, run, span)
    values = {
        "run": run,
        "span": span,
        "statuses": _STATUSES,
        "totals": {s: sum(counts[s] for counts in run["windows"].values()) for s in _STATUSES},
        "alarms": sorted(alarms, key=lambda row: (row.difference is None, row.alarm_id)),
        "furnaces": _furnace_pages(folder, run, span, alarms),
        "width": WIDTH,
        "height": HEIGHT,
    }
    text = page_of(_TEMPLATE, values, {"utc": _utc, "number": _number})
    with output_errors(folder):
        write_whole(folder / REPORT, text)


def _alarm_rows(folder: Path, run: Mapping[str, Any], span: Span) -> list[AlarmRow]:
    found = activities(_records(folder / "alarms.jsonl"), span)
    live = activities(_records(folder / "live-alarms.jsonl"), span)
    setpoints = {alarm["alarm_id"]: alarm for alarm in run["alarms"]}
    differences = {d["alarm_id"]: d for d in run["comparison"]["alarms"]["differences"]}
    return [
        AlarmRow(
            alarm_id=alarm_id,
            furnace_id=alarm_id.rpartition("/")[0],
            found=found.get(alarm_id, Activity(span)),
            live=live.get(alarm_id, Activity(span)),
            setpoint=setpoints.get(alarm_id, {}),
            difference=differences.get(alarm_id),
        )
        for alarm_id in sorted(found.keys() | live.keys() | differences.keys())
    ]


def _furnace_pages(
    folder: Path, run: Mapping[str, Any], span: Span, alarms: list[AlarmRow]
) -> list[FurnacePage]:
    traces = {furnace_id: Trace(span) for furnace_id in sorted(run["windows"])}
    for line in _lines(folder / "windows.jsonl"):
        traces[line["furnace_id"]].add_window(_traced(line))
    pages = []
    for furnace_id, trace in traces.items():
        trace.finish()
        thresholds = sorted(
            {
                (alarm["logit_on"], alarm["logit_off"])
                for alarm in run["alarms"]
                if alarm["alarm_id"] == f"{furnace_id}/OVERHEAT"
            }
        )
        chart = chart_of(trace, [limit for pair in thresholds for limit in pair])
        own = [row for row in alarms if row.furnace_id == furnace_id]
        pages.append(FurnacePage(furnace_id, run["windows"][furnace_id], chart, thresholds, own))
    return sorted(pages, key=lambda page: not page.is_remarkable)


def _traced(line: Mapping[str, Any]) -> TracedWindow:
    marks = {
        line["status"]: line["status"] != "scored",
        "late": line["late"],
        "different": line["difference"] is not None,
    }
    return TracedWindow(
        end_ns=_ns(line["window_end"]),
        logit=line["logit"],
        live_logit=None if line["live"] is None else line["live"]["logit"],
        kinds=tuple(kind for kind, applies in marks.items() if applies),
    )


def _records(path: Path) -> Iterator[AlarmRecord]:
    with path.open("rb") as file:
        for line in file:
            yield AlarmRecord.model_validate_json(line)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def _ns(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text))


def _utc(value: int | str) -> str:
    """Say an instant as people read it, to the tenth of a second."""
    time_ns = value if isinstance(value, int) else _ns(value)
    return utc_from_ns(time_ns).strftime("%Y-%m-%d %H:%M:%S.%f")[:-5]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
