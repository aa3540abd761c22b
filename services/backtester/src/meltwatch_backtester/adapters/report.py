"""``report.html``: a backtest for people, made of the files beside it."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.raises import RaiseAnswer, RaiseOccasion
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.adapters.result_folder import (
    PICTURES,
    REPORT,
    RUN,
    WINDOWS,
    output_errors,
)
from meltwatch_backtester.domain.chart import HEIGHT, Chart, chart_of
from meltwatch_backtester.domain.novelty_told import novelty_lines
from meltwatch_backtester.domain.sight import MAX_SIGHTS
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.time_axis import LEAST_CUT_NS, WIDTH, Bar, TimeAxis, cuts_of
from meltwatch_backtester.domain.trace import Activity, Trace, TracedWindow, activities

_TEMPLATE: Final = "report.html.jinja"
_STATUSES: Final = ("scored", "degraded", "unscored", "skipped")
_SIGNS: Final = {"critical": "◆ 1", "high": "▲ 2", "medium": "■ 3", "low": "● 4"}
_AROUND_NS: Final = 60 * NS_PER_S
_DELAYED_S: Final = 10.0
"""A raise counts from the end of its delay, which lies before the end of its window."""


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


@dataclass(frozen=True, slots=True)
class EventCard:
    """One occasion: what was raised when, what there was to be seen, and the trace around it."""

    number: int
    occasion: RaiseOccasion
    picture: Mapping[str, Any] | None
    chart: Chart
    setpoint: Mapping[str, Any]

    @property
    def sign(self) -> str:
        """Shape and number of the priority."""
        return _SIGNS.get(self.occasion.priority, "● 4")

    @property
    def told(self) -> str:
        """What the replay does with it."""
        shift_s = self.occasion.shift_s
        if shift_s is None:
            return (
                "raised live alone" if self.occasion.after is None else "raised by the replay alone"
            )
        if shift_s == 0:
            return "raised at the same instant"
        return f"raised {abs(shift_s):.1f} s {'later' if shift_s > 0 else 'sooner'} than live"

    @property
    def marks(self) -> list[tuple[str, float]]:
        """Where it was raised, live and in the replay, in percent of the picture."""
        found = {"live": self.occasion.before, "replayed": self.occasion.after}
        return [
            (name, self.chart.times.x(ns_from_utc(at)) * 100 / WIDTH)
            for name, at in found.items()
            if at is not None
        ]


def write_report(folder: Path) -> None:
    """Write ``report.html`` into the folder of a backtest.

    Parameters
    ----------
    folder
        Holds ``run.json``, ``windows.jsonl``, ``alarms.jsonl``, ``live-alarms.jsonl`` and
        ``pictures.json``. The page follows from them alone and needs nothing else, no network
        either.
    """
    run = json.loads((folder / RUN).read_bytes())
    span = Span(_ns(run["from"]), _ns(run["to"]))
    alarms = _alarm_rows(folder, run, span)
    answer = RaiseAnswer.model_validate(run["answer"])
    values = {
        "run": run,
        "span": span,
        "answer": answer,
        "events": _event_cards(folder, run, answer, span),
        "novelty": list(novelty_lines(run)),
        "statuses": _STATUSES,
        "totals": {s: sum(counts[s] for counts in run["windows"].values()) for s in _STATUSES},
        "alarms": sorted(alarms, key=lambda row: (row.difference is None, row.alarm_id)),
        "furnaces": _furnace_pages(folder, run, span, alarms),
        "width": WIDTH,
        "height": HEIGHT,
    }
    filters: dict[str, Callable[..., str]] = {
        "utc": _utc,
        "number": _number,
        "share": _share,
        "lasting": _lasting,
    }
    text = page_of(_TEMPLATE, values, filters)
    with output_errors(folder):
        write_whole(folder / REPORT, text)


def _event_cards(
    folder: Path, run: Mapping[str, Any], answer: RaiseAnswer, span: Span
) -> list[EventCard]:
    occasions = answer.occasions[:MAX_SIGHTS]
    traces = [Trace(TimeAxis(_around(each, span))) for each in occasions]
    by_furnace: defaultdict[str, list[Trace]] = defaultdict(list)
    for occasion, trace in zip(occasions, traces, strict=True):
        by_furnace[occasion.alarm_id.rpartition("/")[0]].append(trace)
    for line in _lines(folder / WINDOWS):
        for trace in by_furnace.get(line["furnace_id"], ()):
            if _ns(line["window_end"]) in trace.span:
                trace.add_window(_traced(line))
    pictures = json.loads((folder / PICTURES).read_bytes())
    setpoints = {alarm["alarm_id"]: alarm for alarm in run["alarms"]}
    cards = []
    for number, (occasion, trace) in enumerate(zip(occasions, traces, strict=True), start=1):
        trace.finish()
        setpoint = setpoints.get(occasion.alarm_id, {})
        limits = [setpoint[name] for name in ("logit_on", "logit_off") if name in setpoint]
        chart = chart_of(trace, limits)
        cards.append(EventCard(number, occasion, _seen(occasion, pictures), chart, setpoint))
    return cards


def _around(occasion: RaiseOccasion, span: Span) -> Span:
    times = [ns_from_utc(at) for at in (occasion.before, occasion.after) if at is not None]
    since_ns, until_ns = min(times) - _AROUND_NS, max(times) + _AROUND_NS
    return Span(max(since_ns, span.from_ns), min(until_ns, span.to_ns))


def _seen(
    occasion: RaiseOccasion, pictures: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the picture of the window in which the replay raised, or else live did."""
    furnace_id = occasion.alarm_id.rpartition("/")[0]
    at = occasion.after or occasion.before
    assert at is not None  # noqa: S101 - one of them always is
    for each in pictures:
        late_s = (datetime.fromisoformat(each["window_end"]) - at).total_seconds()
        if each["furnace_id"] == furnace_id and 0 <= late_s < _DELAYED_S:
            return each
    return None


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
    ends: defaultdict[str, list[int]] = defaultdict(list)
    for line in _lines(folder / WINDOWS):
        _note_end(ends[line["furnace_id"]], _ns(line["window_end"]))
    traces = {
        furnace_id: Trace(TimeAxis(span, cuts_of(ends[furnace_id], span)))
        for furnace_id in sorted(run["windows"])
    }
    for line in _lines(folder / WINDOWS):
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


def _note_end(ends: list[int], end_ns: int) -> None:
    """Keep of windows that follow one another closely the first and the last."""
    if len(ends) > 1 and end_ns - ends[-2] < LEAST_CUT_NS:
        ends[-1] = end_ns
    else:
        ends.append(end_ns)


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


def _lasting(span: Span) -> str:
    """Say how long a stretch is."""
    minutes, seconds = divmod(round((span.to_ns - span.from_ns) / NS_PER_S), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _share(at: float, of: float) -> str:
    """Say a place in percent of a picture."""
    return f"{100 * at / of:.2f}%"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
