"""The page of backtests: what differs only, the report that may do nothing, and axe."""

import json

import pytest

from tests.integration.console.onlooker import colourful
from tests.integration.console.test_access import require_axe, violations
from tests.support.backtest_folders import ALARM, FURNACE, run_of, windows, write_backtest

pytestmark = [pytest.mark.integration, pytest.mark.browser]
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def folder(tmp_path):
    """Two that can be read, one that cannot, one with a hostile report."""
    root = tmp_path / "backtests"
    write_backtest(root / "one")
    other = run_of(run_id="other", ours=(115, 480), thresholds={"all": [3.5, None]})
    kept = {"labels": 2, "raised": 2, "raised_live": 2, "kept": 1, "lost": 1}
    other["labels"] = {"true_alarm": kept, "false_alarm": kept, "raised_without_label": 0}
    other["comparison"]["statement"] = NASTY
    two = write_backtest(root / "two", other, finished_s=60)
    lines = [line | {"logit": line["logit"] + 1} for line in windows()]
    (two / "windows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (two / "report.html").write_text(
        "<!DOCTYPE html><title>x</title><p>raises: 2</p>"
        "<script>parent.document.title='mine'</script>"
    )
    (root / "bad").mkdir()
    return root


@pytest.fixture
def eye(make_console, forge, look, folder):
    made = look(make_console([FURNACE], console_backtests=str(folder)), color_scheme="light")
    made.wait_live()
    made.page.goto(f"{made.page.url.partition('#')[0]}#/backtests")
    made.wait(".backtests .row strong", "two")
    return made


def test_the_list_names_what_was_tried_and_what_came_of_it(eye):
    rows = eye.page.locator(".backtests .row").all_inner_texts()
    assert ["two" in rows[0], "one" in rows[1], "bad" in rows[2]] == [True] * 3
    assert "raises: 2 → 2; 15.0 s later; 1 more, 1 fewer" in rows[0]
    assert "judged true: 1 kept, 1 lost" in rows[0]
    assert NASTY in rows[0], "text stays text"
    assert "cannot be read: expected a file run.json, found none" in rows[2]
    assert eye.page.locator(".backtests img").count() == 0


def test_two_chosen_ones_show_what_differs_only_and_lead_to_review(eye):
    for name in ("one", "two"):
        eye.page.get_by_role("checkbox", name=name).check()
        eye.wait(".backtests .row strong", name)
    eye.wait(".facts")
    names = eye.page.locator(".facts tbody th").all_inner_texts()
    assert "thresholds asked for" in names
    assert "model" not in names, "it is the same"
    links = eye.page.locator(".backtests section a")
    assert links.count() == 2
    address = links.first.get_attribute("href")
    assert address.startswith("#/review?furnace=plant%2Fhall%2FFMF-01&at=17723")
    assert ALARM in links.first.inner_text()
    eye.until(
        "document.querySelector('.backtests .plot canvas')?.getContext('2d')"
        ".getImageData(0, 0, 600, 200).data.some((value) => value > 0)",
        "both traces are drawn",
    )
    drawn = eye.picture(".backtests .plot")
    assert not colourful(drawn).any()
    assert is_drawn(drawn, 300)
    assert not is_drawn(drawn, 425), "where there are no windows the lines break"
    again = eye.page.url
    eye.page.goto("about:blank")
    eye.page.goto(again)
    eye.wait(".facts")


def is_drawn(picture, second: float) -> bool:
    """Tell whether a line goes through an instant: it is darker than the grid."""
    left, right = 52, picture.shape[1] - 22
    column = round(left + (right - left) * (second - 1.44) / (598.6 - 1.44))
    return bool((picture[10:200, column - 3 : column + 4] < 0x90).all(axis=2).any())


def test_a_report_is_shown_and_may_do_nothing(eye):
    eye.page.locator(".row", has_text="two").get_by_role("button", name="report").click()
    frame = eye.page.frame_locator("iframe.report")
    frame.get_by_text("raises: 2").wait_for()
    assert eye.page.title() == "Backtests - Meltwatch"
    eye.complaints[:] = [each for each in eye.complaints if "script" not in each]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_axe_finds_nothing_and_nothing_is_cut_off(make_console, forge, look, folder, theme, width):
    require_axe()
    console = make_console([FURNACE], console_backtests=str(folder))
    made = look(console, width, color_scheme=theme)
    made.wait_live()
    made.page.goto(f"{made.page.url.partition('#')[0]}#/backtests?a=one&b=two")
    made.wait(".facts")
    assert violations(made) == []
    assert made.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
