"""A person at a browser: what is visible, what is complained of, what colours there are."""

import re
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.waiting import LIMIT_S, until

_LIMIT_MS = LIMIT_S * 1_000

_PIXELS = """image => {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


class Onlooker:
    """One browser of its own.

    Parameters
    ----------
    browser
        Chromium.
    url
        Of the console.
    width
        Of the window, CSS pixels.
    how
        Of the browser: its theme, its cookies and so on.

    Attributes
    ----------
    complaints
        What the browser says is wrong: errors, refusals by the policy, requests elsewhere.
    """

    def __init__(self, browser: Browser, url: str, width: int, how: dict[str, Any]) -> None:
        viewport = {"width": width, "height": 1080 if width > 600 else 844}
        self._context = browser.new_context(viewport=viewport, **how)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(_LIMIT_MS)
        self.complaints: list[str] = []
        self._host = urlsplit(url).netloc
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._note_request)
        self.page.goto(url)

    def _hear(self, message: Any) -> None:
        # A server that is away, or refuses, is an "error" to the browser's console.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _note_request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != self._host:
            self.complaints.append(f"a request elsewhere: {request.url}")

    def wait(self, selector: str, text: str | None = None) -> None:
        """Wait until an element is visible, and says some text."""
        found = self.page.locator(selector)
        wanted = found if text is None else found.filter(has_text=text)
        wanted.first.wait_for(state="visible", timeout=_LIMIT_MS)

    def wait_live(self) -> None:
        """Wait until the banner says so."""
        self.wait_link("live")

    def wait_link(self, word: str) -> None:
        """Wait until the banner says of the data that they are so."""
        script = f"document.querySelector('.link')?.textContent.startsWith('{word}')"
        self.until(script, f"the page says {word}")

    def says(self, selector: str) -> str:
        """Return an element's visible text."""
        return self.page.locator(selector).first.inner_text()

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def picture(self, selector: str | None = None) -> Any:
        """Return what is on the screen, uint8 ``[height, width, 3]``."""
        place = self.page if selector is None else self.page.locator(selector).first
        with Image.open(BytesIO(place.screenshot(animations="disabled"))) as image:
            return np.asarray(image.convert("RGB"))

    def pixels_of(self, selector: str) -> Any:
        """Return the pixels that an image was decoded to, not enlarged, uint8 ``[64, 64, 3]``."""
        values = self.page.eval_on_selector(selector, _PIXELS)
        return np.array(values, np.uint8).reshape(64, 64, 4)[..., :3]

    def close(self) -> None:
        """Close the browser."""
        self._context.close()

    def until(self, script: str, what: str) -> None:
        """Wait until a script is true; the page's policy forbids the driver's own way."""
        until(lambda: self.page.evaluate(script), lambda: f"{what}: {self.says('body')}")


def colourful(picture: Any, over: int = 24) -> Any:
    """Return which pixels have a hue: the largest and the smallest of R, G, B differ by more."""
    whole = picture.astype(int)
    return (whole.max(axis=2) - whole.min(axis=2)) > over


def enclosed(path: str) -> Any:
    """Return which pixels an outline of unit edges encloses, bool ``[64, 64]``."""
    edges = np.zeros((64, 65), bool)
    for column, row in re.findall(r"M(\d+) (\d+)v1", path):
        edges[int(row), int(column)] ^= True
    return np.logical_xor.accumulate(edges, axis=1)[:, :64]
