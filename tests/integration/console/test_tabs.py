"""Many tabs of one browser have one connection, over HTTP/1.1 with its six to a server."""

import pytest

from tests.support.waiting import LIMIT_S, until

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.browser]
TABS = 8
FURNACES = [f"demo/smelting-1/FMF-{number:02}" for number in range(1, 9)]
WITHOUT_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined });"
"""So is a browser that comes over http from another machine."""
ROWS = "document.querySelectorAll('.row').length"
LIVE = "document.querySelector('.link')?.textContent === 'live'"


class Tabs:
    """Tabs of one browser, and which of them have a stream."""

    def __init__(self, chromium, url: str, script: str) -> None:
        self._context = chromium.new_context(viewport={"width": 700, "height": 500})
        if script:
            self._context.add_init_script(script)
        self._url = url
        self._streams: dict[object, object] = {}
        self._context.on("request", self._note)
        self._context.on("requestfinished", self._forget)
        self._context.on("requestfailed", self._forget)
        self.pages = [self.open() for _ in range(TABS)]

    def open(self):
        """Open one more tab."""
        page = self._context.new_page()
        page.set_default_timeout(LIMIT_S * 1_000)
        page.goto(self._url)
        return page

    def _note(self, request) -> None:
        if request.url.endswith("/stream"):
            self._streams[request] = request.frame.page

    def _forget(self, request) -> None:
        self._streams.pop(request, None)

    def leaders(self) -> list:
        """Return the tabs that have a stream now."""
        self.pages[0].evaluate("0")  # what has happened is told to us while we ask
        return [page for page in self._streams.values() if not page.is_closed()]

    def wait(self, script: str, what: str) -> None:
        """Wait until a script is true in every tab."""
        for page in self.pages:
            until(
                lambda page=page: page.evaluate(script),
                lambda page=page: f"{what}: {page.inner_text('body')}",
            )

    def close(self, page) -> None:
        """Close one tab."""
        page.close()
        self.pages.remove(page)

    def close_all(self) -> None:
        """Close the browser."""
        self._context.close()


@pytest.fixture
def open_tabs(chromium):
    made = []

    def make(console, script: str) -> Tabs:
        made.append(Tabs(chromium, console.url, script))
        return made[-1]

    yield make
    for each in made:
        each.close_all()


@pytest.mark.parametrize("script", ["", WITHOUT_LOCKS], ids=["lock", "lease"])
def test_eight_tabs_are_live_by_one_connection_also_when_the_leading_one_is_closed(
    make_console, forge, open_tabs, script
):
    tabs = open_tabs(make_console(FURNACES), script)
    tabs.wait(LIVE, "live")
    until(lambda: len(tabs.leaders()) == 1, lambda: f"one leads: {len(tabs.leaders())}")
    forge.raised(f"{FURNACES[0]}/OVERHEAT")
    tabs.wait(f"{ROWS} === 1", "one row")

    (leader,) = tabs.leaders()
    tabs.close(leader)
    forge.raised(f"{FURNACES[1]}/OVERHEAT")
    tabs.wait(f"{ROWS} === 2", "two rows")
    until(lambda: len(tabs.leaders()) == 1, lambda: f"one leads: {len(tabs.leaders())}")
    assert tabs.leaders() != [leader]
    tabs.wait(LIVE, "live")

    tabs.pages.append(tabs.open())
    tabs.wait(f"{LIVE} && {ROWS} === 2", "a tab that comes later has all")


def test_a_leader_that_stands_still_loses_its_lease_to_another(make_console, forge, open_tabs):
    tabs = open_tabs(make_console(FURNACES), WITHOUT_LOCKS)
    tabs.wait(LIVE, "live")
    until(lambda: len(tabs.leaders()) == 1, lambda: f"one leads: {len(tabs.leaders())}")
    (leader,) = tabs.leaders()
    others = [page for page in tabs.pages if page is not leader]
    # Another tab has it, as if this one had been frozen for longer than it holds.
    others[0].evaluate("localStorage.setItem('meltwatch-leader', `another ${Date.now() + 3_000}`)")
    until(lambda: leader not in tabs.leaders(), "the one that lost it has let go")
    forge.raised(f"{FURNACES[0]}/OVERHEAT")
    tabs.wait(f"{LIVE} && {ROWS} === 1", "somebody leads again, and all have the row")
    until(lambda: len(tabs.leaders()) == 1, lambda: f"one leads: {len(tabs.leaders())}")
