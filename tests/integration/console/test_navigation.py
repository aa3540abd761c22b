"""The ways between the pages: keys, links, and addresses that somebody has made up."""

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.browser]
FURNACE = "demo/smelting-1/FMF-01"
OPEN = ".ways a[aria-current=page]"
PAGES = (("r", "Review"), ("b", "Backtests"), ("s", "System"), ("p", "Plant"))


def test_two_keys_or_a_link_lead_to_every_page_from_every_page(make_console, forge, look):
    eye = look(make_console([FURNACE]))
    eye.wait_live()
    assert eye.says(OPEN) == "Plant"

    for key, name in PAGES:
        eye.press("g", key)
        eye.wait(OPEN, name)
        eye.until(f"document.title === '{name} - Meltwatch'", "the page's name")
        assert eye.page.locator(OPEN).count() == 1
    for _, name in PAGES:
        eye.page.locator(".ways a", has_text=name).click()
        eye.wait(OPEN, name)
    eye.press("g", "x", "s")
    assert eye.says(OPEN) == "Plant", "another key between ends it"


def test_the_ways_stand_in_the_same_place_on_every_page(make_console, forge, look):
    eye = look(make_console([FURNACE]))
    eye.wait_live()
    places = set()
    for address in ("#/", "#/review", "#/backtests", "#/system", f"#/f/{FURNACE}"):
        eye.page.goto(f"{eye.page.url.partition('#')[0]}{address}")
        eye.wait(".ways")
        box = eye.page.locator(".ways").bounding_box()
        places.add((box["x"], box["y"]))
    assert len(places) == 1
    assert eye.page.locator(OPEN).count() == 0, "a furnace is none of the pages"


@pytest.mark.parametrize("address", ["#/constructor", "#/__proto__", "#/f/%E0%A4%A", "#/review?%"])
def test_an_address_that_somebody_has_made_up_opens_a_page(make_console, forge, look, address):
    eye = look(make_console([FURNACE]))
    eye.wait_live()
    eye.page.goto(f"{eye.page.url.partition('#')[0]}{address}")
    eye.wait("main h2")
    assert eye.page.title().endswith(" - Meltwatch")
    assert "undefined" not in eye.page.title()
