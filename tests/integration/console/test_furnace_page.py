"""The furnace page in a real browser: its own picture to the pixel, one instant in all traces."""

import re
from io import BytesIO

import numpy as np
import pytest
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC
from PIL import Image

from tests.integration.console.furnace_forge import FURNACE, LOUD, QUIET, told, wait_for_scores
from tests.integration.console.onlooker import colourful, enclosed
from tests.integration.console.pictures import shot, show
from tests.integration.console.test_access import require_axe, violations

pytestmark = [pytest.mark.integration, pytest.mark.browser]
HOP_MS = PUBLISHED_SPEC.hop_ns // NS_PER_MS
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
MARKED = """canvas => {
  // Columns of the score's trace that are lit from top to bottom: the marks of alarms.
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const data = context.getImageData(0, 0, width, height).data;
  const found = [];
  for (let x = 0; x < width; x += 1) {
    let lit = 0;
    for (let y = 30; y < height - 70; y += 1) {
      const at = 4 * (y * width + x);
      lit += data[at] > 190 && data[at + 3] > 60 ? 1 : 0; // as text is, not as the grid is
    }
    if (lit > 0.98 * (height - 100)) found.push(x / width);
  }
  return found;
}"""


def opened(make_console, forge, look, furnace, width: int = 1920, theme: str = "dark"):
    """Return who looks at a furnace with an alarm at the window in the midst of its fault."""
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    forge.raised(f"{FURNACE}/OVERHEAT", **told(furnace.loud()))
    forge.flush()
    made = look(console, width, color_scheme=theme, reduced_motion="reduce")
    made.wait_live()
    made.page.goto(f"{console.url}#/f/{FURNACE}")
    made.wait("[data-trace=score] canvas")
    made.wait(".frame")
    made.wait(".journal li", "raised")
    return made


@pytest.fixture
def eye(make_console, forge, look, furnace):
    return opened(make_console, forge, look, furnace)


def number_at(eye, selector: str, name: str) -> float:
    return float(eye.page.locator(selector).get_attribute(f"data-{name}") or "nan")


def point(eye, at_ms: float) -> None:
    """Point at an instant on the score's trace, by where two others are."""
    over = eye.page.locator("[data-trace=score] .u-over").bounding_box()
    height = over["y"] + over["height"] / 2
    known = []
    for share in (0.2, 0.8):
        x = over["x"] + over["width"] * share
        eye.page.mouse.move(x, height)
        eye.page.evaluate(SETTLED)
        known.append((x, number_at(eye, ".values", "at-ms")))
    (x0, t0), (x1, t1) = known
    eye.page.mouse.move(x0 + (at_ms - t0) * (x1 - x0) / (t1 - t0), height)
    eye.page.evaluate(SETTLED)


def test_the_picture_is_the_simulators_for_the_windows_own_instant(eye, furnace):
    loud = furnace.loud()
    end_ms = loud.window_end_ns // NS_PER_MS
    point(eye, end_ms)
    shown = "document.querySelector('.instant').dataset.windowEndMs"
    eye.until(f"{shown} === '{end_ms}'", "the window that was pointed at")
    eye.until("document.querySelector('.frame').complete", "its frame")

    event_ns = loud.frames[-1].event_ns
    np.testing.assert_array_equal(eye.pixels_of(".frame"), furnace.pixels(event_ns))
    outline = eye.page.locator(".look .outline").get_attribute("d")
    np.testing.assert_array_equal(enclosed(outline), loud.anomaly_map >= 127.5)
    quiet = furnace.scores[-1]
    assert not np.array_equal(furnace.pixels(event_ns), furnace.pixels(quiet.frames[-1].event_ns))


def test_one_cursor_shows_one_instant_in_score_currents_frames_and_marks(eye, furnace):
    first = next(score for score in furnace.scores if score.logit == LOUD)
    loud = furnace.loud()
    for score in (first, loud):
        end_ms = score.window_end_ns // NS_PER_MS
        point(eye, end_ms)
        shown = "document.querySelector('.instant').dataset.windowEndMs"
        eye.until(f"{shown} === '{end_ms}'", "the window that was pointed at")

        assert number_at(eye, ".values", "at-ms") == pytest.approx(end_ms, abs=HOP_MS / 2)
        assert "score 9.7" in eye.says(".values")
        assert end_ms - HOP_MS < number_at(eye, ".frame", "at-ms") <= end_ms
        near = furnace.currents_near(score.window_end_ns)[:, 0]
        assert current_said(eye) in {f"a {ampere / 1_000:.2f} kA" for ampere in near}
        lines = eye.page.eval_on_selector_all(
            ".u-cursor-x", "all => all.map(each => each.getBoundingClientRect().left)"
        )
        assert len(lines) == 2
        assert lines[0] == pytest.approx(lines[1], abs=1)
    before = first.window_end_ns // NS_PER_MS - HOP_MS
    point(eye, before)
    eye.wait(".values", f"score {QUIET:.1f}".replace("-", "−"))

    point(eye, loud.window_end_ns // NS_PER_MS)
    canvas = eye.page.locator("[data-trace=score] canvas")
    box = canvas.bounding_box()
    marks = [box["x"] + share * box["width"] for share in canvas.evaluate(MARKED)]
    over = eye.page.locator("[data-trace=score] .u-over").bounding_box()
    cursor = eye.page.locator("[data-trace=score] .u-cursor-x").bounding_box()["x"]
    within = over["width"] * HOP_MS / 600_000
    assert 1 <= len(marks) <= 2, "the raise has a mark"  # a line between two columns lights both
    assert all(abs(mark - cursor) < within for mark in marks), (marks, cursor, within)


def current_said(eye) -> str:
    found = re.search(r"a [\d.]+ kA", eye.says(".values"))
    assert found is not None
    return found[0]


@pytest.mark.long
def test_the_pictures_of_the_docs_can_be_taken(eye):
    for name in ("furnace", "plant", "review"):
        show(eye, name)
        with Image.open(BytesIO(shot(eye))) as taken:
            assert taken.size == (1920, 1080)
            seen = np.asarray(taken.convert("RGB"))
        assert colourful(seen).any(), f"{name}: the alarm or the camera's picture"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 390])
def test_axe_finds_nothing_on_a_furnace_with_picture_and_traces(
    make_console, forge, look, furnace, theme, width
):
    require_axe()
    eye = opened(make_console, forge, look, furnace, width, theme)
    assert violations(eye) == []
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= width
