"""The first lines of a report, and a picture of each event."""

import re
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from meltwatch_backtester.domain.sight import Sight
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.picture import png_of
from meltwatch_schemas.raises import Raised, answer_of
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import ALARM, FURNACE
from tests.unit.backtester.reports import (
    START_NS,
    Page,
    classes,
    journal,
    moment,
    pictures,
    run_of,
    window_lines,
    write_run,
)


def raised(second: float, alarm_id: str = ALARM) -> Raised:
    at = utc_from_ns(START_NS + round(second * NS_PER_S))
    return Raised(alarm_id, "high", "an-occurrence", at, None)


def sight(second: float) -> Sight:
    frame = np.full((64, 64, 3), 90, np.uint8)
    marked = np.zeros((64, 64), np.uint8)
    marked[40:44, 20:23] = 200
    return Sight(FURNACE, START_NS + round(second * NS_PER_S), frame, marked)


def events_page(tmp_path: Path, *sights: Sight) -> str:
    answer = answer_of([raised(290)], [raised(300.1), raised(500)])
    run = run_of(answer=answer.model_dump(mode="json"))
    return write_run(tmp_path, run, window_lines(), journal(), journal(), sights)


def test_the_first_lines_answer_the_question(tmp_path):
    page = Page(events_page(tmp_path))
    sentence = "raises: 1 → 2; 10.1 s later; 1 more, 0 fewer"
    before = page.text[: page.text.index(sentence)]
    assert len(before.split("Backtest")[-1].strip().splitlines()) <= 2
    assert page.text.index(sentence) < page.text.index("Same as live")


def test_each_event_shows_what_the_camera_saw_with_the_spot_outlined_and_the_trace(tmp_path):
    text = events_page(tmp_path, sight(100), sight(300.5), sight(301.9))
    page = Page(text)
    (source,) = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    png = b64decode(source.removeprefix("data:image/png;base64,"))
    assert png == png_of(np.full((64, 64, 3), 90, np.uint8))
    (words,) = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert words.endswith("spot middle left")
    steps = re.search(r'class="outline" d="([^"]+)"', text).group(1)
    assert steps.count("h1") == 2 * 3, "above and below three columns"
    assert steps.count("v1") == 2 * 4, "left and right of four rows"
    assert "raised 10.1 s later than live" in page.text
    assert "raised by the replay alone" in page.text
    assert "no picture" in page.text, "of the second event none was kept"
    first, second = pictures(text, "Scores around event")
    assert classes(first, "replayed")[0].get("d").startswith("M")
    assert classes(second, "gap"), "windows are missing from 450 s to 500 s"
    marks = re.findall(r'(live|replayed)-mark" style="left:([0-9.]+)%', text)
    assert [name for name, _ in marks] == ["live", "replayed", "replayed"]
    assert float(marks[0][1]) == pytest.approx(100 * 60 / 130.1, abs=0.1)
    assert float(marks[1][1]) == pytest.approx(100 * 70.1 / 130.1, abs=0.1)


def test_a_frame_that_is_not_there_is_said(tmp_path):
    lost = replace(sight(300.5), frame=None, anomaly_map=None, lack="no video")
    assert "no video" in Page(events_page(tmp_path, lost)).text


def test_nothing_is_loaded_but_pictures_of_the_page_itself(tmp_path):
    page = Page(events_page(tmp_path, sight(300.5)))
    for _, attributes in page.tags:
        assert (attributes.get("src") or "data:").startswith("data:image/png;base64,") or (
            "src" not in attributes
        )
        assert not {"href", "onload", "onclick", "srcset"} & attributes.keys()
    assert {"script", "link", "iframe", "object"}.isdisjoint({tag for tag, _ in page.tags})


def test_a_stretch_without_data_is_cut_out_and_said_and_days_stand_on_the_ticks(tmp_path):
    night_s = 86_400
    later = [line | {"window_end": shifted(line["window_end"], night_s)} for line in window_lines()]
    run = run_of(to=moment(night_s + 600))
    text = write_run(tmp_path, run, [*window_lines(), *later])
    page = Page(text)
    assert "Cut out: 2025-06-15 15:16:38." in page.text
    assert "23 h 50 min without data" in page.text
    assert "15 Jun" in page.text
    assert "16 Jun" in page.text
    (curve,) = classes(pictures(text)[0], "replayed")
    assert curve.get("d").count("M") == 4, "two hills, each with its gap, are still told apart"


def shifted(text: str, seconds: int) -> str:
    return rfc3339(datetime.fromisoformat(text) + timedelta(seconds=seconds))


def test_colour_is_for_priority_alone(tmp_path):
    text = events_page(tmp_path, sight(300.5))
    style = text[text.index("<style>") : text.index("</style>")]
    style = re.sub(r"--p[1-4]: #[0-9a-f]{6}", "", style)
    for digits in re.findall(r"#([0-9a-f]{6})\b", style):
        parts = [int(digits[n : n + 2], 16) for n in (0, 2, 4)]
        assert max(parts) - min(parts) <= 24, digits
    assert not re.search(r"rgb|hsl|\b(red|green|blue|orange|yellow)\b", style)


def test_tables_that_are_too_wide_can_be_moved_by_the_keyboard(tmp_path):
    page = Page(events_page(tmp_path))
    regions = [a for tag, a in page.tags if tag == "div" and a.get("class") == "scroll"]
    tables = [tag for tag, _ in page.tags if tag == "table"]
    assert len(regions) == len(tables) >= 3
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
