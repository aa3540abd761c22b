"""A report on alarms: a page with pictures, JSON, CSV or lines, all of the same figures."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meltwatch_core.alarms.kpi.key_figures import GRADE_WORDS, figures_of
from meltwatch_core.alarms.kpi.load import DAY_NS, Flood, TimedCount
from meltwatch_core.alarms.kpi.nuisance import Standing
from meltwatch_core.alarms.kpi.performance import Performance, performance
from meltwatch_schemas.instants import rfc3339, utc_from_ns

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.domain.alarm_history import AlarmHistory
from meltwatch_backtester.domain.chart import HEIGHT, LogitAxis
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.time_axis import WIDTH, Bar, Tick, TimeAxis

_TEMPLATE: Final = "alarm_report.html.jinja"
_DAYS_FROM_NS: Final = 3 * DAY_NS
"""Shorter stretches are drawn by the hour."""
_MOST_LABELS: Final = 10
_COLUMNS: Final = ("key", "title", "value", "unit", "target", "grade", "meaning")
_BAR_HEIGHT: Final = 22


@dataclass(frozen=True, slots=True)
class CountBar:
    """Annunciations of a day or an hour in the picture."""

    x: float
    width: float
    y: float
    counted: TimedCount


@dataclass(frozen=True, slots=True)
class LoadChart:
    """Annunciations over time.

    Attributes
    ----------
    unit
        ``day`` or ``hour``.
    bars, labels, counts
        What stands in it, and its axes.
    limits
        Rates that are acceptable and that can be managed, and how far down they stand.
    floods
        When there was one.
    """

    unit: str
    bars: list[CountBar]
    labels: list[Tick]
    counts: list[Tick]
    limits: list[tuple[str, float]]
    floods: list[Bar]


class AlarmReport:
    """The key figures of a history, in several forms.

    Parameters
    ----------
    history
        What is told.
    """

    def __init__(self, history: AlarmHistory) -> None:
        self._history = history
        self._found = performance(history.lines, history.stretch, history.zone)
        self._figures = figures_of(self._found, history.audit)

    def lines(self) -> Iterator[str]:
        """Yield the report for a screen."""
        begin, end = self._history.stretch.begin_ns, self._history.stretch.end_ns
        yield f"Alarms from {self._history.shown(begin)} to {self._history.shown(end)}"
        yield from self._history.notes()
        yield ""
        for figure in self._figures:
            sign = GRADE_WORDS[figure.grade] or " "
            target = f"  (target {figure.target})" if figure.target else ""
            yield f"{sign} {figure.title:<40} {figure.text:>10}{target}"
        for title, names in self._lists():
            if names:
                yield ""
                yield title
                yield from (f"  {name}" for name in names)

    def csv(self) -> str:
        """Return the figures as CSV, one a line."""
        out = io.StringIO()
        writer = csv.DictWriter(out, _COLUMNS)
        writer.writeheader()
        for figure in self._figures:
            writer.writerow({name: getattr(figure, name) for name in _COLUMNS})
        return out.getvalue()

    def document(self) -> dict[str, Any]:
        """Return everything for programs."""
        found, history = self._found, self._history
        return {
            "asked": {"from": _time(history.asked.from_ns), "to": _time(history.asked.to_ns)},
            "from": _time(history.stretch.begin_ns),
            "to": _time(history.stretch.end_ns),
            "zone": str(history.zone),
            "notes": history.notes(),
            "figures": {
                figure.key: {
                    "value": figure.value,
                    "unit": figure.unit,
                    "target": figure.target,
                    "grade": figure.grade,
                }
                for figure in self._figures
            },
            "days": [
                {"day": day.label, "annunciations": day.count, "stale": found.stale_on(day)}
                for day in found.days
            ],
            "floods": [_flood(flood) for flood in found.floods],
            "top_ten": [{"alarm_id": name, "count": count} for name, count in found.top],
            "chattering": [
                {"alarm_id": c.alarm_id, "raises": c.raises, "in_60_s": c.fastest, "index": c.index}
                for c in found.chatter
                if c.is_fast or c.is_chattering
            ],
            "fleeting": dict(found.fleeting),
            "stale": [
                {"alarm_id": s.alarm_id, "raised": _time(s.raised_ns), "until": _time(s.end_ns)}
                for s in found.stale
            ],
            "standing": dict(found.standing),
            "shelved": [_suppressed(each) for each in found.shelved],
            "suppressed_by_design": [_suppressed(each) for each in found.by_design],
            "out_of_service": [_suppressed(each) for each in found.out_of_service],
            "unauthorised": [
                {"alarm_id": line.alarm_id, "at": _time(line.at_ns), "state": line.state}
                for line in found.unauthorised
            ],
        }

    def page(self) -> str:
        """Return the report as a page that needs nothing else, no network either."""
        most = max((count for _, count in self._found.top), default=1)
        values = {
            "history": self._history,
            "found": self._found,
            "figures": self._figures,
            "signs": GRADE_WORDS,
            "chart": load_chart(self._found),
            "top": [
                (name, count, round(count / most * WIDTH * 0.55, 2), _BAR_HEIGHT * place)
                for place, (name, count) in enumerate(self._found.top)
            ],
            "bar_height": _BAR_HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "lists": list(self._lists()),
        }
        return page_of(_TEMPLATE, values, {"shown": self._history.shown})

    def _lists(self) -> Iterator[tuple[str, list[str]]]:
        found, shown = self._found, self._history.shown
        yield "Floods", [self._flood_text(flood) for flood in found.floods]
        yield "The most frequent alarms", [f"{name}: {count}" for name, count in found.top]
        yield (
            "Chattering alarms",
            [
                f"{c.alarm_id}: {c.raises} raises, up to {c.fastest} in 60 s, index {c.index:.3f}"
                for c in found.chatter
                if c.is_fast or c.is_chattering
            ],
        )
        fleeting = found.fleeting.most_common()
        yield "Fleeting alarms", [f"{name}: {count}" for name, count in fleeting]
        yield (
            "Stale alarms",
            [
                f"{s.alarm_id}: active since {shown(s.raised_ns)}"
                + ("" if s.end_ns is None else f", until {shown(s.end_ns)}")
                for s in found.stale
            ],
        )
        for title, alarms in (
            ("Shelved", found.shelved),
            ("Suppressed by design", found.by_design),
            ("Out of service", found.out_of_service),
        ):
            yield title, [f"{a.line.alarm_id}: since {shown(a.since_ns)}" for a in alarms]
        yield (
            "Suppressions that name nobody",
            [
                f"{line.alarm_id}: {line.state} at {shown(line.at_ns)}"
                for line in found.unauthorised
            ],
        )

    def _flood_text(self, flood: Flood) -> str:
        shown = self._history.shown
        end = "still lasts" if flood.end_ns is None else f"to {shown(flood.end_ns)}"
        return (
            f"{shown(flood.begin_ns)} {end}: {flood.count} alarms, at most {flood.peak} in "
            f"10 minutes; first out {flood.first_out} at {shown(flood.first_ns)}"
        )


def load_chart(found: Performance) -> LoadChart:
    """Draw annunciations by the day, or by the hour for a short stretch, and floods."""
    by_day = found.stretch.length_ns >= _DAYS_FROM_NS
    unit, limits = ("day", (150, 300)) if by_day else ("hour", (6, 12))
    counted = found.days if by_day else found.hours
    most = max((each.count for each in counted), default=0)
    # Limits far above what happened would press it flat.
    shown = [limit for limit in limits if limit <= 3 * max(most, 1)]
    times = TimeAxis(Span(found.stretch.begin_ns, found.stretch.end_ns))
    counts = LogitAxis(0.0, 1.08 * max(most, *shown, 1), HEIGHT)
    return LoadChart(
        unit=unit,
        bars=[_bar(each, times, counts) for each in counted],
        labels=_labels(counted, times),
        counts=[tick for tick in counts.ticks() if float(tick.label) >= 0],
        limits=[(f"{limit} an {unit}" if unit == "hour" else f"{limit} a {unit}", counts.y(limit))
                for limit in shown],
        floods=times.bars(
            Span(f.begin_ns, found.stretch.end_ns if f.end_ns is None else f.end_ns)
            for f in found.floods
        ),
    )  # fmt: skip


def _bar(counted: TimedCount, times: TimeAxis, counts: LogitAxis) -> CountBar:
    x = times.x(counted.stretch.begin_ns)
    width = max(times.x(counted.stretch.end_ns) - x - 1, 0.5)
    return CountBar(x, round(width, 2), counts.y(counted.count), counted)


def _labels(counted: Sequence[TimedCount], times: TimeAxis) -> list[Tick]:
    step = -(-len(counted) // _MOST_LABELS)
    middles = [(each, each.stretch) for each in counted[:: max(step, 1)]]
    return [
        Tick(times.x((part.begin_ns + part.end_ns) // 2), each.label[-5:]) for each, part in middles
    ]


def _flood(flood: Flood) -> dict[str, Any]:
    return {
        "from": _time(flood.begin_ns),
        "to": _time(flood.end_ns),
        "annunciations": flood.count,
        "peak_10_min": flood.peak,
        "first_out": flood.first_out,
        "first_at": _time(flood.first_ns),
    }


def _suppressed(each: Standing) -> dict[str, Any]:
    line = each.line
    return {"alarm_id": line.alarm_id, "since": _time(each.since_ns), "by": line.shelved_by}


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339(utc_from_ns(at_ns))
