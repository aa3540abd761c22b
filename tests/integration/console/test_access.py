"""Everybody can use the page: axe finds nothing, the keyboard is enough, nothing is cut off."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.integration.console.scene import FURNACES, PRIORITIES, STATES, Scene, wait_rows
from tests.support.relay import Relay
from tests.support.source import ROOT
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.browser]
AXE = ROOT / "tests/foreign/axe/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (1920, 1280, 390)
THEMES = ("dark", "light")
MANY = 500
ALL_DRAWN = """[...document.querySelectorAll(".row .title")].every((each) => {
  const { top, bottom } = each.closest(".row").getBoundingClientRect();
  const isInView = bottom > 0 && top < innerHeight;
  return !isInView || each.checkVisibility({ contentVisibilityAuto: true });
})"""
BLINKING = """() => {
  const all = [...document.querySelectorAll("body *")];
  const look = (isOff) => {
    for (const node of all.filter((each) => each.matches(".blinks"))) {
      node.classList.toggle("off-beat", isOff);
    }
    return all.map((node) => getComputedStyle(node).backgroundColor);
  };
  const lit = look(false), off = look(true);
  return all.filter((_, n) => lit[n] !== off[n]).length + document.getAnimations().length;
}"""
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter((node) => {
  const { overflowX, overflowY } = getComputedStyle(node);
  const clips = [overflowX, overflowY].some((each) => each === "hidden" || each === "clip");
  return clips && node.checkVisibility() && !node.matches(".unseen, .u-wrap *, .plot, svg, svg *")
    && (node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1);
}).map((node) => node.outerHTML.slice(0, 160))"""
LOOK = """async (options) => {
  const { violations, incomplete } = await axe.run(document, options);
  const isOfAlarm = ({ target }) => document.querySelector(target[0]).closest(".row");
  const said = ({ html, any }) => `${html.slice(0, 120)}: ${any.map(({ message }) => message)}`;
  const contrast = incomplete.filter(({ id }) => id === "color-contrast");
  const unsure = contrast.flatMap(({ nodes }) => nodes.filter(isOfAlarm));
  return {
    bad: violations.flatMap(({ id, nodes }) => nodes.map((each) => `${id}: ${said(each)}`)),
    unsure: unsure.map((each) => `unsure of ${said(each)}`),
  };
}"""
SEEN = """() => {
  const node = document.activeElement;
  const { top, bottom, width } = node.getBoundingClientRect();
  const banner = node.closest("header") ? 0 : document.querySelector("header").offsetHeight;
  return {
    tag: node.tagName, words: (node.getAttribute("aria-label") ?? node.textContent).slice(0, 60),
    outline: getComputedStyle(node).outlineWidth,
    isSeen: width > 0 && bottom > banner && top < innerHeight,
    isTile: node.matches(".tile"), isRow: node.matches(".row"),
  };
}"""


FOCUSED_ROW = """(row => [".where", ".title"].map((each) => row?.querySelector(each).textContent))(
  document.activeElement.closest(".row")
).join()"""


def require_axe() -> None:
    """Skip a test where the rules of accessibility are not there: a plain machine has no Node."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: run `npm ci` in tests/foreign/axe (CI does)")


def violations(eye, *, beneath: bool = False) -> list[str]:
    """Return what axe finds, and rows of unknown contrast, unless a dialog hides them."""
    eye.page.evaluate("scrollTo(0, 0)")  # what lies behind the banner has no contrast
    # A browser draws rows that come into view some frames later; until then they have none, too.
    eye.until(ALL_DRAWN, "rows in view are drawn")
    # Into the driver's own world: the page's policy takes no script from elsewhere.
    eye.page.evaluate(AXE.read_text())
    found = eye.page.evaluate(LOOK, {"runOnly": {"type": "tag", "values": TAGS}})
    return found["bad"] if beneath else found["bad"] + found["unsure"]


def violations_of_all(eye, *, beneath: bool = False) -> list[str]:
    """Return what axe finds in both themes and at each width."""
    found = []
    for theme in THEMES:
        set_theme(eye, theme)
        for width in WIDTHS:
            eye.page.set_viewport_size({"width": width, "height": 844 if width < 600 else 1080})
            found += [f"{theme} {width}: {each}" for each in violations(eye, beneath=beneath)]
            wide = eye.page.evaluate("document.documentElement.scrollWidth")
            found += [f"{theme} {width}: {wide} wide"] if wide > width else []
    return found


def set_theme(eye, theme: str) -> None:
    eye.page.evaluate(f"document.documentElement.classList.toggle('light', {theme == 'light':d})")


@pytest.fixture(scope="module")
def scene(kafka, chromium, tmp_path_factory) -> Iterator[Scene]:
    with Scene(kafka, tmp_path_factory.mktemp("scene"), chromium) as made:
        made.rows = made.raise_all_kinds()
        shelf = {"by": "li", "reason": "nuisance", "since": "2026-11-29T10:00:00Z",
                 "until": "2099-01-01T00:00:00Z", "one_shot": False}  # fmt: skip
        for furnace, priority in zip(FURNACES, PRIORITIES, strict=False):
            made.forge.state(f"{furnace}/SHLVD", "SHLVD", priority, title="SHLVD", shelve=shelf)
        made.forge.flush()
        yield made


@pytest.fixture
def eye(scene):
    made = scene.look(reduced_motion="reduce")
    wait_rows(made, scene.rows)
    return made


@pytest.fixture(scope="module")
def crowd(kafka, chromium, tmp_path_factory) -> Iterator[Scene]:
    """Five hundred alarms."""
    furnaces = [f"demo/area-{n // 50:02}/FMF-{n % 50:03}" for n in range(MANY)]
    with Scene(kafka, tmp_path_factory.mktemp("crowd"), chromium, furnaces) as made:
        for number, furnace in enumerate(furnaces):
            made.forge.state(f"{furnace}/X", STATES[number % 5], PRIORITIES[number % 4])
        made.forge.flush()
        yield made


OPENED = {
    "alarms": lambda _: None,
    "shelving": lambda eye: eye.press("s"),
    "a comment": lambda eye: eye.press("c"),
    "keys": lambda eye: eye.press("?"),
    "what is shelved": lambda eye: eye.page.locator("header button.plain").first.click(),
    "display": lambda eye: eye.page.locator(".more summary").click(),
}


@pytest.mark.parametrize("name", OPENED)
def test_axe_finds_nothing_in_any_theme_and_width(eye, name):
    require_axe()
    OPENED[name](eye)
    is_dialog = eye.page.locator("dialog").count() > 0
    assert is_dialog == (name not in {"alarms", "display"})
    assert violations_of_all(eye, beneath=is_dialog) == []


def test_axe_finds_nothing_on_a_furnace(scene, eye):
    require_axe()
    eye.page.goto(f"{scene.console.url}#/f/{FURNACES[0]}")
    eye.wait(".row")
    assert violations_of_all(eye) == []
    eye.page.goto(f"{scene.console.url}#/")
    wait_rows(eye, scene.rows)


def test_axe_finds_nothing_on_a_stale_page(scene):
    require_axe()
    with Relay(scene.console.url.removeprefix("http://").rstrip("/")) as cable:
        eye = scene.look(reduced_motion="reduce", url=f"http://{cable.address}/")
        wait_rows(eye, scene.rows)
        cable.freeze()
        eye.wait_link("stale")
        assert violations_of_all(eye) == []
        eye.press("s")
        eye.wait("dialog")
        assert violations_of_all(eye, beneath=True) == []


def test_axe_finds_nothing_in_five_hundred_alarms(crowd):
    require_axe()
    eye = crowd.look(reduced_motion="reduce")
    wait_rows(eye, MANY)
    set_theme(eye, "light")
    eye.page.set_viewport_size(
        {"width": 1280, "height": 100 * MANY}
    )  # axe sees no row behind others
    assert violations(eye) == []


@pytest.mark.parametrize("theme", ["dark", "light", "forced colours"])
def test_states_and_priorities_differ_without_colour(scene, theme):
    forced = {"forced_colors": "active"} if theme == "forced colours" else {"color_scheme": theme}
    eye = scene.look(reduced_motion="reduce", **forced)
    wait_rows(eye, scene.rows)
    seen = {}
    for furnace, priority in zip(FURNACES, PRIORITIES, strict=False):
        for state in STATES:
            row = eye.page.locator(f".row:has([title='{furnace}'])").filter(
                has=eye.page.get_by_text(state, exact=True)
            )
            seen[priority, state] = cut_out(row.first.locator(".state"))
    eye.page.locator("header button.plain").first.click()
    for furnace, priority in zip(FURNACES, PRIORITIES, strict=False):
        shelved = eye.page.locator(".aside-list li", has_text=furnace[-6:])
        seen[priority, "SHLVD"] = cut_out(shelved.locator(".state"))
    names = [
        name for name in seen if name[1] != "LATAK"
    ]  # a latched one that was seen: by its word
    assert len(names) == 20
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            assert np.abs(seen[one] - seen[other]).max() > 40, (one, other)
    for words in ("critical 5, 3 new", "high 6, 4 new", "medium 5, 3 new", "low 5, 3 new"):
        assert words in eye.says("#banner"), "what has gone unseen counts as such"


def cut_out(place):
    """Return the beginning of a badge as 24x24 greys."""
    place.scroll_into_view_if_needed()
    with Image.open(BytesIO(place.screenshot(animations="disabled"))) as image:
        grey = image.convert("L")
        part = grey.crop((0, 0, 48, grey.height)).resize((24, 24), Image.Resampling.BOX)
        return np.asarray(part).astype(int)


@pytest.mark.parametrize("percent", [200, 400])
@pytest.mark.parametrize("forced", ["none", "active"])
def test_nothing_is_cut_off_and_nothing_blinks_when_zoomed(scene, percent, forced):
    """A window of 1280 has 640 and 320 CSS pixels left at 200 % and 400 %."""
    width = 1280 * 100 // percent
    eye = scene.look(width, reduced_motion="reduce", forced_colors=forced)
    wait_rows(eye, scene.rows)
    hurt = []
    for name, open_it in OPENED.items():
        open_it(eye)
        hurt += [f"{name}: {each}" for each in eye.page.evaluate(CUT_OFF)]
        assert eye.page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert eye.page.evaluate(BLINKING) == 0, name
        eye.press("Escape")
    eye.page.goto(f"{scene.console.url}#/f/{FURNACES[0]}")
    eye.wait(".row")
    hurt += eye.page.evaluate(CUT_OFF)
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= width
    assert hurt == []


def test_nothing_blinks_for_who_does_not_want_it(scene):
    moving = scene.look()
    wait_rows(moving, scene.rows)
    blinking = moving.page.locator(".row.blinks, .tile.blinks").count()
    assert moving.page.evaluate(BLINKING) == blinking >= len(PRIORITIES), "nothing else blinks"
    for half in (blinking, 0) * 2:
        script = f"document.querySelectorAll('.blinks.off-beat').length === {half}"
        moving.until(script, "it goes on by itself, all at once")
    moving.page.locator(".more summary").click()
    moving.page.get_by_text("no blinking").click()
    assert moving.page.evaluate(BLINKING) == 0
    moving.page.get_by_text("no blinking").click()


def test_every_stop_of_the_keyboard_is_seen_and_tiles_and_rows_have_one_each(eye):
    stops = []
    eye.page.evaluate("document.body.focus()")
    for _ in range(60):
        eye.press("Tab")
        stop = eye.page.evaluate(SEEN)
        if stop["tag"] == "BODY":
            break
        stops.append(stop)
    assert len(stops) > 10
    assert [each for each in stops if not each["isSeen"] or each["outline"] != "3px"] == []
    assert sum(each["isTile"] for each in stops) == 1
    assert sum(each["isRow"] for each in stops) == 1


DIALOGS = ("shelving", "a comment", "keys")


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_is_used_by_keys_alone_and_gives_the_focus_back(eye, name):
    focused = FOCUSED_ROW
    eye.press("j")
    before = eye.page.evaluate(focused)
    OPENED[name](eye)
    eye.wait("dialog")
    for _ in range(14):
        assert eye.page.evaluate("Boolean(document.activeElement.closest('dialog, body'))")
        stop = eye.page.evaluate(SEEN)
        assert stop["tag"] == "BODY" or stop["outline"] == "3px", stop
        eye.press("Tab")
    eye.press("Escape")
    until(lambda: eye.page.locator("dialog").count() == 0, "it is closed")
    assert eye.page.evaluate(focused) == before


def test_the_page_is_used_without_a_pointer(eye):
    eye.press("j", "ArrowDown")
    focused = "document.activeElement.textContent"
    second = eye.page.evaluate(focused)
    eye.press("ArrowUp")
    assert eye.page.evaluate(focused) != second
    eye.press("Enter")
    eye.wait("main.furnace")
    eye.press("g", "p")
    eye.wait("main.home")
    eye.page.locator(".tile").first.focus()
    eye.press("ArrowRight")
    assert "FMF-02" in eye.page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_the_focus_is_not_lost_with_the_alarm_that_had_it(scene):
    eye = scene.look(reduced_motion="reduce")
    furnace = FURNACES[5]
    scene.forge.state(f"{furnace}/GOES", "UNACK", "critical", title="GOES")
    eye.wait(".row .title", "GOES")
    eye.page.locator(".row", has_text="GOES").focus()
    change = {"from": "UNACK", "to": "NORM", "cause": "CLEAR"}
    scene.forge.state(f"{furnace}/GOES", "NORM", "critical", transition=change)
    wait_rows(eye, scene.rows)
    assert eye.page.evaluate("document.activeElement.matches('.row')")
