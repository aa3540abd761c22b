"""Everybody can use the page: axe finds nothing, the keyboard is enough, nothing is cut off."""

import json

import pytest

from tests.support.source import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.browser]
AXE = ROOT / "tests/foreign/axe/node_modules/axe-core/axe.min.js"
FURNACES = [f"demo/smelting-1/FMF-{number:02}" for number in range(1, 9)]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def require_axe() -> None:
    """Skip a test where the rules of accessibility are not there: a plain machine has no Node."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: run `npm ci` in tests/foreign/axe (CI does)")


def violations(eye, *, beneath: bool = False) -> list[str]:
    """Return what axe finds, and rows of unknown contrast, unless a dialog hides them."""
    eye.page.evaluate("scrollTo(0, 0)")  # what lies behind the banner has no contrast
    # Into the driver's own world: the page's policy takes no script from elsewhere.
    eye.page.evaluate(AXE.read_text())
    options = {"runOnly": {"type": "tag", "values": TAGS}}
    found = eye.page.evaluate(f"axe.run(document, {json.dumps(options)})")
    bad = [
        f"{each['id']}: {node['html'][:120]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
    unsure = [
        f"unsure of {node['html'][:120]}: {[each['message'] for each in node['any']]}"
        for each in found["incomplete"]
        if each["id"] == "color-contrast"
        for node in each["nodes"]
        if ".row" in str(node["target"])
    ]
    return bad if beneath else bad + unsure


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_axe_finds_nothing(make_console, forge, look, theme, width):
    require_axe()
    eye = look(make_console(FURNACES), width, color_scheme=theme, reduced_motion="reduce")
    eye.wait_live()
    assert violations(eye) == []
    for furnace, state in zip(
        FURNACES, ("UNACK", "ACKED", "RTNUN", "LATUN", "LATAK"), strict=False
    ):
        for priority in ("critical", "high", "medium", "low"):
            forge.state(f"{furnace}/{priority}", state, priority)
    forge.state(f"{FURNACES[7]}/X", "UNACK", mode="advisory", **{"class": "system"})
    forge.flush()
    eye.until("document.querySelectorAll('.row').length === 21", "21 rows")
    assert violations(eye) == []
    eye.press("s")
    eye.wait("dialog")
    assert violations(eye, beneath=True) == []
    eye.press("Escape")
    eye.page.goto(f"{eye.page.url.partition('#')[0]}#/f/{FURNACES[0]}")
    eye.wait(".row")
    assert violations(eye) == []
    eye.page.goto(f"{eye.page.url.partition('#')[0]}#/")
    forge.fall_silent()
    eye.wait_link("no alarm manager")
    assert violations(eye) == []


@pytest.mark.parametrize("width", [640, 320])
def test_nothing_sticks_out_when_zoomed(make_console, forge, look, width):
    """640 and 320 CSS pixels are what a window of 1280 has left at 200 % and 400 %."""
    eye = look(make_console(FURNACES), width)
    eye.wait_live()
    forge.raised(f"{FURNACES[0]}/OVERHEAT", title="Furnace" + "x" * 200)
    eye.wait(".row")

    assert eye.page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_blinks_for_who_does_not_want_it(make_console, forge, look):
    console = make_console(FURNACES)
    still, moving = look(console, reduced_motion="reduce"), look(console)
    for eye in (still, moving):
        eye.wait_live()
    forge.raised(f"{FURNACES[0]}/OVERHEAT")
    count = "document.getAnimations().length"
    for eye in (still, moving):
        eye.wait(".row .state", "NEW")

    assert still.page.evaluate(count) == 0
    assert moving.page.evaluate(count) == 2, "the tile and the row, and nothing else"
    moving.page.locator(".more summary").click()
    moving.page.get_by_text("no blinking").click()
    assert moving.page.evaluate(count) == 0


def test_the_page_is_used_without_a_pointer(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    for furnace in FURNACES[:3]:
        forge.raised(f"{furnace}/OVERHEAT")
    forge.flush()
    eye.until("document.querySelectorAll('.row').length === 3", "3 rows")

    eye.press("j", "ArrowDown")
    focused = "document.activeElement.textContent"
    second = eye.page.evaluate(focused)
    eye.press("ArrowUp")
    assert eye.page.evaluate(focused) != second
    eye.press("c")
    eye.wait("dialog textarea")
    assert eye.page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    eye.press("Escape")
    assert eye.page.evaluate("document.activeElement.className.includes('row')"), (
        "back where it was"
    )
    eye.press("Enter")
    eye.wait("main.furnace")
    eye.press("g", "p")
    eye.wait("main.home")
    eye.page.locator(".tile").first.focus()
    eye.press("ArrowRight")
    assert "FMF-02" in eye.page.evaluate("document.activeElement.getAttribute('aria-label')")
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert eye.page.evaluate(outline) == "3px", "the focus is seen"
