"""The page is whole, says what the files say, and is nobody's door into a browser."""

import pytest
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

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
