"""What one real browser costs and sees: main thread, memory, when alarms are painted."""

import time
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, CDPSession

from tests.integration.console.onlooker import Onlooker

_WATCH: Final = """() => {
  window.painted = [];
  // What stands already was painted before anybody looked.
  const titles = () => [...document.querySelectorAll(".row .title")];
  const seen = new Set(titles().map((node) => node.textContent));
  new MutationObserver(() => {
    for (const { textContent } of titles()) {
      const written = /^written at ([0-9]{13})$/.exec(textContent);
      if (written === null || seen.has(textContent)) continue;
      seen.add(textContent);
      requestAnimationFrame(() => setTimeout(() => {
        window.painted.push([Date.now() / 1000, (Date.now() - Number(written[1])) / 1000]);
      }));
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
_AGAINST_TABLE: Final = """() => {
  // The same texts as a plain table, in the same place, laid out as often as the list is.
  const list = document.querySelector(".rows");
  const table = document.createElement("table");
  for (const row of list.querySelectorAll(".row")) {
    const line = table.insertRow();
    for (const part of row.querySelectorAll(".state, .where, .title, time, .q")) {
      line.insertCell().textContent = part.textContent;
    }
  }
  const cost = (node) => {
    const times = [];
    for (let turn = 0; turn < 15; turn += 1) {
      node.style.display = "none";
      list.parentElement.offsetHeight;
      const since = performance.now();
      node.style.display = "";
      list.parentElement.offsetHeight;
      times.push(performance.now() - since);
    }
    return times.sort((a, b) => a - b)[7];
  };
  const ours = cost(list);
  list.after(table);
  const plain = cost(table);
  table.remove();
  return [ours, plain];
}"""


class BusySecond(NamedTuple):
    """What the main thread did for about a second, of processor time.

    Attributes
    ----------
    since_s, until_s
        By the wall clock.
    page_ms
        Scripts, styles and layout: what the page makes of what it is told.
    all_ms
        That, painting, and what the browser does besides.
    """

    since_s: float
    until_s: float
    page_ms: float
    all_ms: float


class PageProbe:
    """A browser that looks at the page, and what it costs.

    Parameters
    ----------
    chromium
        The browser.
    url
        Of the console.

    Attributes
    ----------
    seconds
        What was noted.
    """

    def __init__(self, chromium: Browser, url: str) -> None:
        self.eye = Onlooker(chromium, url, 1920, {})
        self.eye.wait_live()
        self._session: CDPSession = self.eye.page.context.new_cdp_session(self.eye.page)
        # Of a processor, not by the clock: a busy machine makes no work.
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._before = self._spent()
        self.seconds: list[BusySecond] = []
        self.eye.page.evaluate(_WATCH)

    def skip(self) -> None:
        """Leave out what the main thread did since the last note."""
        self._before = self._spent()

    def note_second(self) -> None:
        """Let the page be for a second, and note how long its main thread worked."""
        self.eye.page.wait_for_timeout(1_000)
        since_s, page_ms, all_ms = self._before
        self.skip()
        now_s, page, all_ = self._before
        self.seconds.append(BusySecond(since_s, now_s, page - page_ms, all_ - all_ms))

    def heap_mib(self) -> float:
        """Return what the page holds after its rubbish is gone."""
        self._session.send("HeapProfiler.collectGarbage")
        return float(self._metrics()["JSHeapUsedSize"] / 2**20)

    def painted(self) -> list[tuple[float, float]]:
        """Return when alarms were painted, and how long after they were written, seconds."""
        return [tuple(each) for each in self.eye.page.evaluate("window.painted")]

    def busy(self, *, alarms: bool) -> list[BusySecond]:
        """Return the seconds in which an alarm was painted, or those in which none was."""
        times = [at_s for at_s, _ in self.painted()]
        return [
            each
            for each in self.seconds
            if alarms == any(each.since_s - 1 <= at_s < each.until_s + 1 for at_s in times)
        ]

    def against_table(self) -> tuple[float, float]:
        """Return what it costs to lay out the list of alarms, and a plain table of the same, ms."""
        ours, plain = self.eye.page.evaluate(_AGAINST_TABLE)
        return ours, plain

    def _spent(self) -> tuple[float, float, float]:
        told = self._metrics()
        page = sum(told[f"{name}Duration"] for name in ("Script", "Layout", "RecalcStyle"))
        return time.time(), 1_000 * page, 1_000 * told["TaskDuration"]

    def _metrics(self) -> dict[str, Any]:
        found = self._session.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in found}
