"""Draws the dashboard of the component ``monitoring`` from what a real Prometheus answers.

Grafana is not among our tests. Places, titles, queries and legends are those of the dashboard.
``python -m tests.support.dashboard_picture`` runs the product on simulated furnaces, freezes its
Triton for a minute and a half, and writes the picture of docs/monitoring.md.
"""

import math
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.product import RunningProduct
from tests.support.prometheus import Prometheus, as_grafana_asks, health_pages, panels, scraping
from tests.support.source import ROOT
from tests.support.waiting import until

FILE = ROOT / "docs/images/dashboard.svg"
CELL, MARGIN, LINE = 56, 8, 15
"""Pixels of a unit of the dashboard's grid, around a panel, and of a line of text."""
HEIGHTS = {4: 84, 8: 190}
COLOURS = ("#2f6fb0", "#c9541b", "#3f8f4f", "#8757a5", "#9a7b1c", "#3a8a94", "#b04a78", "#666666")
MOST_NAMED = 6
CALM_S, FROZEN_S, AFTER_S = 180, 90, 120
ALERT = "MeltwatchTritonAway"
UNITS = {"s": " (s)", "ops": " (1/s)", "percentunit": " (cores)", "bytes": " (bytes)"}
LETTER = 6.5
"""Width of a letter, pixels."""
Series = tuple[str, list[tuple[float, float]]]


class Stretch(NamedTuple):
    """What is drawn, and the fault within, Unix seconds."""

    begin_s: float
    end_s: float
    frozen_s: float
    thawed_s: float

    def share(self, at_s: float) -> float:
        """Return how much of it lies before an instant, 0..1."""
        return (at_s - self.begin_s) / (self.end_s - self.begin_s)


def drawn(made: Prometheus, stretch: Stretch) -> str:
    """Return the dashboard of a stretch of time as SVG."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for panel in panels():
        rows.setdefault(panel["gridPos"]["y"], []).append(panel)
    parts, top = [], MARGIN
    for number in sorted(rows):
        height = HEIGHTS[rows[number][0]["gridPos"]["h"]]
        for panel in rows[number]:
            box = (panel["gridPos"]["x"] * CELL, top, panel["gridPos"]["w"] * CELL, height)
            parts += _panel(panel, list(series_of(made, panel, stretch)), box, stretch)
        top += height + MARGIN
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * CELL} {top}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{body}</svg>\n"
    )


def series_of(made: Prometheus, panel: dict[str, Any], stretch: Stretch) -> Iterator[Series]:
    """Yield what a panel shows: a name as its legend says, and times with values."""
    for target in panel["targets"]:
        asked = as_grafana_asks(target["expr"])
        for each in made.ask_range(asked, stretch.begin_s, stretch.end_s):
            name = target.get("legendFormat", "")
            for label, value in each["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            points = [(float(at), float(told)) for at, told in each["values"]]
            # Grafana shows nothing for a label that a series lacks.
            name = re.sub(r"\{\{.*?\}\}", "", name).strip()
            yield name, [point for point in points if not math.isnan(point[1])]


def _panel(
    panel: dict[str, Any],
    found: Sequence[Series],
    box: tuple[int, int, int, int],
    stretch: Stretch,
) -> Iterator[str]:
    left, top, width, height = box
    unit = UNITS.get(panel["fieldConfig"]["defaults"].get("unit", ""), "")
    yield (
        f'<g transform="translate({left + MARGIN / 2},{top})">'
        f'<rect width="{width - MARGIN}" height="{height}" fill="#fafafa" stroke="#ddd"/>'
        f'<text x="8" y="17" font-weight="bold">{escape(panel["title"] + unit)}</text>'
    )
    yield from (
        _numbers(found) if panel["type"] == "stat" else _lines(found, width, height, stretch)
    )
    yield "</g>"


def _numbers(found: Sequence[Series]) -> Iterator[str]:
    for place, (name, points) in enumerate(found):
        yield (
            f'<text x="{12 + 84 * place}" y="52" font-size="26">{points[-1][1]:g}</text>'
            f'<text x="{12 + 84 * place}" y="72" fill="#555">{escape(name)}</text>'
        )


def _lines(found: Sequence[Series], width: int, height: int, stretch: Stretch) -> Iterator[str]:
    left, right, top, bottom = 46, width - MARGIN - 8, 28, height - 2 * LINE - 6
    highest = max((value for _, points in found for _, value in points), default=0.0) or 1.0
    within = [left + stretch.share(at) * (right - left) for at in stretch[2:]]
    yield (
        f'<rect x="{within[0]:.0f}" width="{within[1] - within[0]:.0f}" y="{top}" '
        f'height="{bottom - top}" fill="#f3d9d3"/>'
    )
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        yield (
            f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#ddd"/>'
            f'<text x="{left - 4}" y="{y + 4}" text-anchor="end" fill="#555">'
            f"{_short(highest * share)}</text>"
        )
    for number, (name, points) in enumerate(found):
        told = " ".join(
            f"{left + stretch.share(at) * (right - left):.1f},"
            f"{bottom - value / highest * (bottom - top):.1f}"
            for at, value in points
        )
        colour = COLOURS[number % len(COLOURS)]
        yield f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        if number < MOST_NAMED:
            room = (right - left) / 3
            x = left + number % 3 * room
            y = bottom + LINE * (1 + number // 3) + 2
            told = escape(name[: int(room / LETTER)])
            yield f'<text x="{x:.0f}" y="{y}" fill="{colour}">{told}</text>'


def _short(value: float) -> str:
    for size, unit in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
        if value >= size * 4:
            return f"{value / size:.0f}{unit}"
    return f"{value:.3g}"


def main() -> None:
    """Run, freeze, wait, draw."""
    with tempfile.TemporaryDirectory() as name, RunningProduct(Path(name)) as run:
        status = run.wait_ready()
        with scraping(Path(name) / "prometheus", health_pages(status)) as made:
            assert made is not None, "needs Prometheus: apt-get install prometheus"
            begin_s = time.time() + 60
            time.sleep(60 + CALM_S)
            triton = status["services"]["triton"]["pid"]
            os.kill(triton, signal.SIGSTOP)
            frozen_s = time.time()
            try:
                until(lambda: ALERT in made.firing(), lambda: made.ask("ALERTS"), limit_s=300)
                print(f"{sorted(made.firing())} after {time.time() - frozen_s:.0f} s")
                time.sleep(max(0.0, FROZEN_S - (time.time() - frozen_s)))
            finally:
                os.kill(triton, signal.SIGCONT)
            thawed_s = time.time()
            time.sleep(AFTER_S)
            FILE.write_text(drawn(made, Stretch(begin_s, time.time(), frozen_s, thawed_s)))
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
