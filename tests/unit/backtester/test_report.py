"""The page is whole, says what the files say, and is nobody's door into a browser."""

import json
import math
import re
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from meltwatch_backtester.adapters.report import write_report
from meltwatch_backtester.domain.sight import Sight
from meltwatch_schemas.alarm import rfc3339, utc_from_ns
from meltwatch_schemas.picture import png_of
from meltwatch_schemas.raises import Raised, answer_of
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import ALARM, FURNACE, alarm_record

START_NS = 1_750_000_000 * NS_PER_S
VOID = {"meta", "br", "img"}


def moment(second: float) -> str:
    return rfc3339(utc_from_ns(START_NS + round(second * NS_PER_S)))


def run_of(**changes: Any) -> dict[str, Any]:
    """Build a run of 600 s in which one furnace overheats, live and replayed alike."""
    run = {
        "run_id": "5d1f0c",
        "prefix": "meltwatch",
        "from": moment(0),
        "to": moment(600),
        "cuts": "recorded",
        "furnaces": [],
        "model": {"name": "fmformer", "version": "1", "digest": "0" * 64, "encoder_id": "dct"},
        "thresholds": {"all": None},
        "ranges": {"embeddings": {"0": [17, 900]}},
        "records": {"embeddings": 883, "currents": 700, "scores": 416},
        "late": 3,
        "duplicates": 1,
        "dead_letters": {},
        "windows": {FURNACE: {"scored": 400, "degraded": 10, "unscored": 6, "skipped": 0}},
        "comparison": {
            "verdict": "same",
            "statement": "All 416 windows and both alarm transitions are those of the live system.",
            "live_models": [{"name": "fmformer", "version": "1", "digest": "0" * 64}],
            "windows": {
                "compared": 416, "equal": 416, "largest_logit_difference": 0.0, "differences": {},
            },
            "alarms": {"compared": 2, "equal": 2, "differences": []},
        },
        "alarms": [
            {"alarm_id": ALARM, "state": "RTNUN", "raises": 1, "logit_on": 2.0, "logit_off": 0.0}
        ],
        "answer": answer_of([], []).model_dump(mode="json"),
    }  # fmt: skip
    return run | changes


def window_lines(furnace_id: str = FURNACE) -> list[dict[str, Any]]:
    """Build 600 s of windows: a hill of logits, a gap, a stretch without video."""
    lines = []
    for number in range(math.floor(600 / 1.44)):
        second = 1.44 * number + 0.5
        logit = -4 + 8 * math.exp(-(((second - 300) / 60) ** 2))
        status = "degraded" if 100 < second < 115 else "scored"
        if 450 < second < 500:
            continue
        lines.append(
            {
                "furnace_id": furnace_id, "window_end": moment(second), "window_id": "0" * 32,
                "status": status, "logit": logit, "reasons": [], "video_coverage": 1.0,
                "current_coverage": 1.0, "late": second > 590,
                "live": {"status": "scored", "logit": logit}, "difference": None,
            }
        )  # fmt: skip
    return lines


def journal() -> list[Any]:
    steps = ((250, True, "NORM", "UNACK", "RAISE"), (355, False, "UNACK", "RTNUN", "CLEAR"))
    return [
        alarm_record(
            seq=seq, active=active, state=after, raise_time=moment(250),
            clear_time=None if active else moment(second),
            transition={"from": before, "to": after, "cause": cause},
            evidence=alarm_record().evidence.model_copy(
                update={"window_end": utc_from_ns(START_NS + second * NS_PER_S)}
            ).model_dump(),
        )
        for seq, (second, active, before, after, cause) in enumerate(steps)
    ]  # fmt: skip


def write_run(folder: Path, run: dict, windows=(), alarms=(), live=(), seen=()) -> str:
    """Write the files of a run and return its report."""
    (folder / "pictures.json").write_text(json.dumps([each.document() for each in seen]))
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "windows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in windows))
    for name, records in (("alarms", alarms), ("live-alarms", live)):
        lines = [record.to_json() + b"\n" for record in records]
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
    write_report(folder)
    return (folder / "report.html").read_text()


class Page(HTMLParser):
    """Checks that what is opened is closed, and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


def pictures(text: str, of: str = "Scores of ") -> list[ET.Element]:
    parts = text.split("<svg ")[1:]
    whole = [f"<svg {part.split('</svg>')[0]}</svg>" for part in parts]
    found = [ET.fromstring(picture) for picture in whole]  # noqa: S314 - our own page
    return [picture for picture in found if (picture.get("aria-label") or "").startswith(of)]


def classes(picture: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in picture.iter() if name in (node.get("class") or "").split()]


def test_the_same_as_live_is_said_first(tmp_path):
    text = write_run(tmp_path, run_of(), window_lines(), journal(), journal())
    page = Page(text)

    assert page.text.index("Same as live") < page.text.index("Alarms")
    assert "All 416 windows and both alarm transitions" in page.text
    assert ALARM in page.text
    assert "2025-06-15 15:10:50.0 to 15:12:35.0" in page.text
    assert "883 of embeddings" in page.text
    assert "as recorded" in page.text


def test_a_picture_shows_thresholds_alarms_gaps_and_what_was_degraded_or_late(tmp_path):
    text = write_run(tmp_path, run_of(), window_lines(), journal(), journal())
    (picture,) = pictures(text)

    heights = [node.get("d") for node in classes(picture, "threshold")]
    assert len(heights) == 2
    (active,), (was_active,) = classes(picture, "active"), classes(picture, "was-active")
    assert float(active.get("x")) == pytest.approx(250 / 0.6, abs=0.01)
    assert float(active.get("width")) == pytest.approx(105 / 0.6, abs=0.02)
    assert (was_active.get("x"), was_active.get("width")) == (active.get("x"), active.get("width"))
    for kind, expected in (("gap", (450, 500)), ("degraded", (100, 115)), ("late", (590, 600))):
        (bar,) = classes(picture, kind)
        start = float(bar.get("x")) * 0.6
        end = start + float(bar.get("width")) * 0.6
        assert (start, end) == pytest.approx(expected, abs=2 * 1.44)
    (curve,) = classes(picture, "replayed")
    assert curve.get("d").count("M") == 2, "the line breaks at the gap"


def test_labels_say_what_was_raised_in_them(tmp_path):
    row = {"furnace_id": FURNACE, "from": moment(240), "to": moment(300), "source": "<b>"}
    counts = {"labels": 2, "raised": 2, "raised_live": 1, "kept": 1, "lost": 0}
    labels = {
        "true_alarm": counts,
        "false_alarm": {"labels": 1, "raised": 0, "raised_live": 1, "kept": 0, "lost": 1},
        "unclear": {"labels": 0, "raised": 0}, "raised_without_label": 3,
        "events": {
            "found": 1, "missed": 1, "share_low": 0.095, "share_high": 0.905,
            "median_after_s": 12.5, "median_lead_s": 87.5,
        },
        "each": [
            row | {"verdict": "true_alarm", "raised": moment(250), "raised_live": None},
            row | {"verdict": "false_alarm", "raised": None, "raised_live": moment(241)},
        ],
    }  # fmt: skip
    assert "Labels" not in Page(write_run(tmp_path, run_of())).text
    page = Page(write_run(tmp_path, run_of(labels=labels)))
    assert "2 of 2 true alarms raised, 0 of 1 false ones, 3 raised without a label" in page.text
    assert "Judged true: 1 of 1 that live raised kept, 0 lost, 1 more raised." in page.text
    assert "Judged false: 0 of 1 that live raised kept, 1 lost." in page.text
    assert "Events: 1 of 2 found, 1 missed (share found, 95 %: 0.10 to 0.91)" in page.text
    assert "12.5 s after their start and 87.5 s before their end" in page.text
    assert "2025-06-15 15:10:50.0" in page.text


def test_a_difference_stands_before_what_is_equal(tmp_path):
    run, other = run_of(), f"{FURNACE}/VIDEO_MISSING"
    step = {"cause": "RAISE", "window_end": moment(250), "state": "UNACK", "by": None}
    run["comparison"] |= {
        "verdict": "different",
        "alarms": {
            "compared": 2, "equal": 1, "differences": [
                {
                    "alarm_id": other, "explained": False, "why": "raised live alone",
                    "live": [step], "replayed": [],
                }
            ],
        },
        "windows": {
            "compared": 416, "equal": 415, "largest_logit_difference": 0.25, "differences": {
                "other_logit": {
                    "count": 1, "explained": False, "meaning": "The logits differ.",
                    "first": [
                        {
                            "furnace_id": FURNACE, "window_end": moment(3), "window_id": "ab" * 16,
                            "detail": "1.0 instead of 0.75",
                        }
                    ],
                }
            },
        },
    }  # fmt: skip
    lines = window_lines()
    lines[40]["difference"] = "other_logit"
    text = write_run(tmp_path, run, lines, journal(), journal())
    page = Page(text)

    assert "Differs from live" in page.text
    assert page.text.index(other) < page.text.index(f"{ALARM}\n")
    assert "raised live alone" in page.text
    assert "nothing more" in page.text
    assert "1.0 instead of 0.75" in page.text
    assert len(classes(pictures(text)[0], "different")) == 1


def test_thresholds_that_were_asked_for_are_named(tmp_path):
    run = run_of(thresholds={"all": [8.5, None], ALARM: [3.25, -1.0]})
    page = Page(write_run(tmp_path, run))

    assert "all: 8.5 / own" in page.text
    assert f"{ALARM}: 3.25 / -1" in page.text


def test_an_alarm_of_before_the_span_is_active_from_its_start(tmp_path):
    cleared = journal()[1].model_copy(update={"raise_time": utc_from_ns(START_NS - NS_PER_S)})
    (picture,) = pictures(write_run(tmp_path, run_of(), window_lines(), [cleared]))

    (active,) = classes(picture, "active")
    assert (active.get("x"), float(active.get("width"))) == ("0.0", pytest.approx(355 / 0.6, 0.001))


def test_an_alarm_that_stands_is_active_to_the_end(tmp_path):
    (picture,) = pictures(write_run(tmp_path, run_of(), window_lines(), journal()[:1]))

    (active,) = classes(picture, "active")
    assert float(active.get("x")) + float(active.get("width")) == pytest.approx(1000)


def test_nothing_at_all_is_said_in_words(tmp_path):
    run = run_of(windows={}, alarms=[], ranges={}, records={})
    run["comparison"] |= {"verdict": "nothing_to_compare", "live_models": []}
    page = Page(write_run(tmp_path, run))

    assert "Nothing to compare with" in page.text
    assert "No alarm in this span" in page.text
    assert "No window ends in this span" in page.text
    assert "There is nothing to draw" in page.text


def test_a_furnace_without_any_score_is_said_in_words(tmp_path):
    lines = [
        line | {"status": "unscored", "logit": None, "live": None} for line in window_lines()[:5]
    ]
    page = Page(write_run(tmp_path, run_of(), lines))

    assert "No window was scored" in page.text


def test_the_page_needs_and_runs_nothing_from_elsewhere(tmp_path):
    page = Page(write_run(tmp_path, run_of(), window_lines(), journal(), journal()))

    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "use", "image", "a"})
    for _, attributes in page.tags:
        assert not {"src", "href", "onload", "onclick", "xlink:href"} & attributes.keys()


def test_what_strangers_wrote_stays_text(tmp_path):
    evil = "</title></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    run = run_of(run_id=evil, thresholds={evil: [1.0, 0.0]}, furnaces=[evil])
    run["dead_letters"] = {evil: 1}
    run["comparison"] |= {
        "statement": evil,
        "live_models": [{"name": evil, "version": evil, "digest": evil}],
        "alarms": {
            "compared": 1, "equal": 0, "differences": [
                {
                    "alarm_id": evil, "explained": True, "why": evil, "replayed": [],
                    "live": [{"cause": evil, "window_end": moment(1), "state": evil, "by": evil}],
                }
            ],
        },
        "windows": run["comparison"]["windows"] | {
            "differences": {
                evil: {
                    "count": 1, "explained": True, "meaning": evil, "first": [
                        {
                            "furnace_id": evil, "window_end": moment(3), "window_id": evil,
                            "detail": evil,
                        }
                    ],
                }
            }
        },
    }  # fmt: skip
    page = Page(write_run(tmp_path, run, window_lines()))

    assert {"script", "img"}.isdisjoint({tag for tag, _ in page.tags})
    assert page.text.count("<script>alert(1)</script>") >= 12


def test_the_same_files_give_the_same_bytes(tmp_path):
    pages = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pages.append(write_run(tmp_path / name, run_of(), window_lines(), journal(), journal()))

    assert pages[0] == pages[1]


def test_a_shift_of_windows_makes_no_bigger_picture_than_an_hour(tmp_path):
    run, first = run_of(to=moment(28_800)), window_lines()[0]
    hop_s = PUBLISHED_SPEC.hop_ns / NS_PER_S
    lines = [
        first | {"window_end": moment(n * hop_s), "logit": -4.0 + (n == 7_000) * 9}
        for n in range(1, 20_000)
    ]
    text = write_run(tmp_path, run, lines)
    (curve,) = classes(pictures(text)[0], "replayed")

    assert len(text) < 110_000
    lowest_y = min(float(step.split("V")[1]) for step in curve.get("d").split("L")[1:])
    assert lowest_y < 20, "the one high window is still seen"


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
