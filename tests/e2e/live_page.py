"""Who opens the address that a run has printed: a browser, and a program with the client."""

import json
import re
import time
from contextlib import closing

import meltwatch
from kafka import KafkaConsumer, TopicPartition
from playwright.sync_api import sync_playwright

from tests.integration.console.conftest import chromium_program
from tests.integration.console.onlooker import Onlooker
from tests.support.product import RunningProduct
from tests.support.promise import ProcessorWaits
from tests.support.waiting import until

PROMISED_S = 1.0
_WATCH = """() => {
  window.painted = {};
  const look = () => requestAnimationFrame(() => setTimeout(() => {
    for (const row of document.querySelectorAll(".row")) {
      const part = (name) => row.querySelector(name);
      const raise = [part(".where")?.title, part(".title")?.textContent, part("time")?.dateTime];
      window.painted[raise.join(" ")] ??= Date.now();
    }
  }));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  return Date.now();
}"""


def console_of(run: RunningProduct) -> str:
    """Return the address of the page that the run has printed."""
    found = re.search(r"console: (http://\S+)", run.output())
    assert found, run.output()
    return found[1]


def a_browser_sees_the_run(run: RunningProduct, status: dict) -> None:
    """Look at the page from before the first alarm on; where there is no Chromium, do nothing."""
    program = chromium_program()
    if program is None:
        return
    with (
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser,
    ):
        url = console_of(run)
        eye = Onlooker(browser, url, 1920, {})
        look = _FirstLook(eye)
        eye.wait_live()
        eye.until("document.querySelectorAll('.tile:not(.blind)').length === 2", "both furnaces")
        for furnace in ("FMF-01", "FMF-02"):
            eye.wait(".tile", furnace)
        look.expect_in_time(status["kafka"], f"{status['topic_prefix']}.alarms.v1")
        eye.page.goto(f"{url}#/backtests")
        eye.wait(".backtests p[role=status]", "No backtest has been run yet.")
        assert not eye.complaints, eye.complaints


class _FirstLook:
    """When the page has first shown an alarm, and how long our processes waited meanwhile."""

    def __init__(self, eye: Onlooker) -> None:
        self._eye = eye
        self._waited = ProcessorWaits()
        self._waits: list[tuple[float, float]] = []
        self._since_ms: int = eye.page.evaluate(_WATCH)

    def expect_in_time(self, kafka: str, topic: str) -> None:
        """Wait for the first raise from now on, and compare its record's instant with the page's.

        A machine may be so slow that the page comes after the run's first alarms.
        """
        until(self._painted, lambda: self._eye.says("body"), every_s=0.2)
        written_ms, seen_ms = until(
            lambda: self._first(_records(kafka, topic)), lambda: self._eye.says("body"), every_s=0.5
        )
        late_s = (seen_ms - written_ms) / 1_000
        waited_s = self._waited_at(seen_ms) - self._waited_at(written_ms - 1_000)
        said = f"{late_s:.2f} s; our processes waited {waited_s:.2f} s for a processor"
        print(f"first alarm on the topic to painted: {said}")
        assert late_s <= PROMISED_S + waited_s, said

    def _painted(self) -> dict[str, int]:
        self._waits.append((time.time() * 1_000, self._waited.so_far_s()))
        seen: dict[str, int] = self._eye.page.evaluate("window.painted")
        return seen

    def _first(self, records: list[tuple[int, dict]]) -> tuple[int, int] | None:
        seen = self._painted()
        written: dict[str, int] = {}
        for at_ms, record in records:
            written.setdefault(_raise_of(record), at_ms)
        both = ((at_ms, seen.get(each)) for each, at_ms in written.items())
        return min(
            ((at, shown) for at, shown in both if shown is not None and at >= self._since_ms),
            default=None,
        )

    def _waited_at(self, at_ms: float) -> float:
        return min(self._waits, key=lambda each: abs(each[0] - at_ms))[1]


def _raise_of(record: dict) -> str:
    """Name one raise of one alarm as the page's rows show it."""
    return f"{record['equipment_path']} {record['title']} {record['raise_time']}"


def _records(kafka: str, topic: str) -> list[tuple[int, dict]]:
    """Return every record of the alarms with the instant at which it was written, ms."""
    with closing(
        KafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    ) as reader:
        part = TopicPartition(topic, 0)
        reader.assign([part])
        reader.seek_to_beginning(part)
        end = reader.end_offsets([part])[part]
        got = []
        while reader.position(part) < end:
            got += [each for records in reader.poll(500).values() for each in records]
    return [(each.timestamp, json.loads(each.value)) for each in got]


def a_program_sees_the_run(run: RunningProduct) -> None:
    """``import meltwatch`` at the same address."""
    with meltwatch.connect(console_of(run)) as plant:
        (alarm, *_) = until(lambda: plant.alarms().rows(), run.output)
        furnace = alarm["alarm_id"].rpartition("/")[0]
        assert furnace in plant.furnaces().arrow.column("id").to_pylist()
        assert plant.newest(furnace)["status"] in {"scored", "degraded", "unscored"}
        assert len(plant.scores(furnace)) > 0
        assert plant.currents(furnace).units["a"] == "A"
        assert plant.alarm(alarm["alarm_id"])["equipment_path"] == furnace
