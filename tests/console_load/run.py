"""One run: a plant's scores, one browser alone, then many, then one of them that reads nothing."""

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.request import urlopen

import meltwatch
from meltwatch_chassis.clock import SystemClock
from meltwatch_console.adapters.http.static_files import FOLDER
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from playwright.sync_api import Browser

from tests.bench.processes import memory_mib
from tests.console_load.budgets import Seen, below
from tests.console_load.forge import names
from tests.console_load.page_probe import PageProbe
from tests.console_load.past import write_past
from tests.integration.console.bench import AlarmForge, ConsoleProcess, plant_file
from tests.integration.console.furnace_forge import (
    AGO_S,
    FURNACE,
    LONG_S,
    FurnaceForge,
    wait_for_scores,
)
from tests.support.servers import Topics, fresh_topics
from tests.support.waiting import LIMIT_S, until

ROWS: Final = 500
FRAME_KB: Final = 24.8
MB_OF_MIB: Final = 2**20 / 1e6
_SETTLE_S: Final = 1.0
_ALONE, _CROWD = 0.2, 0.4
_HEAP_S, _EARLY_S = 60.0, 600.0


@dataclass(frozen=True)
class Plan:
    """How large and how long.

    Attributes
    ----------
    furnaces, streams
        How many; the browser is one of the streams.
    seconds
        A fifth with the browser alone, two with all of them, two with one more that reads nothing.
    """

    furnaces: int = 1_000
    streams: int = 50
    seconds: float = 600.0

    @property
    def alarm_every_s(self) -> float:
        """How often an alarm is raised: most seconds of ten minutes have none."""
        return min(4.0, self.seconds / 20)

    @property
    def pause_s(self) -> float:
        """For how long one reads nothing."""
        return min(60.0, self.seconds / 5)


class Program:
    """A program of this folder that ends with its input and says one line of JSON."""

    def __init__(self, name: str, *arguments: str) -> None:
        run = [sys.executable, "-m", f"tests.console_load.{name}", *arguments]
        self._process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> Any:
        """End it and return what it said."""
        said, _ = self._process.communicate(timeout=LIMIT_S)
        return json.loads(said)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the console did for a while.

    Attributes
    ----------
    since_s, until_s
        By the wall clock.
    cpu_share
        Of one core.
    """

    since_s: float
    until_s: float
    cpu_share: float

    def delays(self, late: Sequence[Sequence[float]]) -> list[float]:
        """Return the delays that belong to it."""
        return [delay for at_s, delay in late if self.since_s <= at_s < self.until_s]


class LoadRun:
    """The servers, the console and who looks at it.

    Parameters
    ----------
    folder
        Logs and data.
    chromium
        The browser.
    plan
        How large and how long.
    """

    def __init__(self, folder: Path, chromium: Browser, plan: Plan) -> None:
        self._folder = folder
        self._chromium = chromium
        self._plan = plan
        self._heaps: list[tuple[float, float]] = []

    def run(self, kafka: KafkaServer) -> list[Seen]:
        """Run it all on a broker and return what was seen of each budget."""
        with ExitStack() as stack:
            topics = stack.enter_context(fresh_topics(kafka))
            console = stack.enter_context(self._console(kafka.address, topics))
            forge = stack.enter_context(
                Program(
                    "forge",
                    kafka.address,
                    topics.prefix,
                    str(self._plan.furnaces),
                    str(self._plan.alarm_every_s),
                )
            )
            console.wait_live()
            probe = PageProbe(self._chromium, console.url)
            stack.callback(probe.eye.close)
            known = (
                f"document.querySelectorAll('.tile:not(.blind)').length >= {self._plan.furnaces}"
            )
            probe.eye.until(known, "all scored")
            return [
                *self._of_streams(console, probe),
                *self._of_the_page(console, probe),
                *_of_kafka(console, forge.end()),
                *_of_one_look(console, probe, kafka.address, topics),
                Seen(
                    "requests to other origins, and complaints of the browser",
                    len(probe.eye.complaints), 0,
                ),
            ]  # fmt: skip

    def _console(self, address: str, topics: Topics) -> ConsoleProcess:
        furnaces, rings = names(self._plan.furnaces), self._folder / "rings"
        write_past(rings, furnaces, SystemClock().now_ns() // NS_PER_MS)
        return ConsoleProcess(
            self._folder / "console.log", kafka=address, topic_prefix=topics.prefix,
            plant_file=str(plant_file(self._folder, furnaces)), console_ring_dir=str(rings),
        )  # fmt: skip

    def _of_streams(self, console: ConsoleProcess, probe: PageProbe) -> list[Seen]:
        plan, others = self._plan, str(self._plan.streams - 1)
        alone = self._stretch(console, probe, _ALONE * plan.seconds)
        with Program("streams", console.url, others) as crowd:
            _wait_browsers(console, plan.streams)
            together = self._stretch(console, probe, _CROWD * plan.seconds)
            told = crowd.end()
        with Program("streams", console.url, others, str(plan.pause_s)) as crowd:
            _wait_browsers(console, plan.streams + 1)
            slowed = self._stretch(console, probe, _CROWD * plan.seconds)
            slow = crowd.end()
        before, while_slow = together.delays(told["late"]), slowed.delays(slow["late"])
        many = f"{plan.streams} browsers"
        return [
            Seen("stream per browser", _bytes_a_second(told) / 1e3, 10, "kB/s"),
            Seen(
                f"server's processor time with {many} over with 1",
                together.cpu_share / alone.cpu_share, 1.5,
            ),
            Seen(f"of a core, with {many}", 100 * together.cpu_share, None, "%"),
            Seen(
                "server's memory, a week of traces held",
                MB_OF_MIB * memory_mib(console.pid), 400, "MB",
            ),
            Seen("alarm on the topic to each stream, p99", below(before, 0.99), 1, "s", False),
            Seen(
                f"the same while one more reads nothing for {plan.pause_s:.0f} s, over before",
                below(while_slow, 0.99) / below(before, 0.99), 1.5, everywhere=False,
            ),
            Seen("whole pictures that the slow one needs then", slow["snapshots"] - 1, 1),
            Seen(
                "streams that know other alarms in the end", told["others"] + slow["others"], 0,
            ),
        ]  # fmt: skip

    def _of_the_page(self, console: ConsoleProcess, probe: PageProbe) -> list[Seen]:
        code = sum(len(gzip.compress(each.read_bytes())) for each in _code())
        snapshot = len(gzip.compress(_snapshot(console.url)))
        deltas, alarms = (probe.busy(alarms=each) for each in (False, True))
        scripts = [each.page_ms for each in deltas]
        return [
            Seen("all code of the page, compressed", code / 1e3, 120, "kB"),
            Seen("snapshot, compressed", snapshot / 1e3, 30, "kB"),
            Seen("main thread per second of deltas, p95", below(scripts, 0.95), 16, "ms", False),
            Seen("the same, median", below(scripts, 0.5), None, "ms"),
            Seen("with painting and the browser's own, median",
                 below([each.all_ms for each in deltas], 0.5), None, "ms"),
            Seen("per second with an alarm, all of it, p95",
                 below([each.all_ms for each in alarms], 0.95), None, "ms"),
            Seen(
                "alarm on the topic to painted, p99",
                below([late for _, late in probe.painted()], 0.99), 1, "s", False,
            ),
            *self._of_the_tab(),
        ]  # fmt: skip

    def _stretch(self, console: ConsoleProcess, probe: PageProbe, seconds: float) -> Stretch:
        time.sleep(_SETTLE_S)
        self._note_heap(probe)
        since_s, began, worked = time.time(), time.monotonic(), _worked_s(console.pid)
        while (now := time.monotonic()) < began + seconds:
            probe.note_second()
            if now > self._heaps[-1][0] + _HEAP_S:
                self._note_heap(probe)
        share = (_worked_s(console.pid) - worked) / (time.monotonic() - began)
        self._note_heap(probe)
        return Stretch(since_s, time.time(), share)

    def _note_heap(self, probe: PageProbe) -> None:
        self._heaps.append((time.monotonic(), probe.heap_mib()))
        probe.skip()

    def _of_the_tab(self) -> list[Seen]:
        """Compare the tab's memory in the end with that after ten minutes, or half the run."""
        began_s = self._heaps[0][0]
        ages = [(at_s - began_s, heap) for at_s, heap in self._heaps]
        early_s = min(_EARLY_S, ages[-1][0] / 2)
        first_s, first = next(each for each in ages if each[0] >= early_s)
        last_s, last = ages[-1]
        words = f"tab's memory after {last_s / 60:.0f} min over after {first_s / 60:.0f} min"
        return [
            Seen(words, last / first, 1.2, everywhere=False),
            Seen("tab's memory in the end", last * MB_OF_MIB, None, "MB"),
        ]


def _wait_browsers(console: ConsoleProcess, count: int) -> None:
    def told() -> int:
        return int(console.ask("api/v1/system")[1]["console"]["browsers"])

    until(lambda: told() == count, lambda: f"{count} browsers, {told()} listen")


def _worked_s(pid: int) -> float:
    """Return the processor time of a process, to the nanosecond: stretches may be short."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / NS_PER_S


def _of_kafka(console: ConsoleProcess, written: dict[str, Any]) -> list[Seen]:
    """Compare what was read with what was written, once all of it was."""
    size = written["bytes"]
    until(lambda: _read_bytes(console)["scores"] >= size, lambda: console.probe("/metrics"))
    return [
        Seen("read from Kafka over scores, nobody at a furnace", _all_read(console) / size, 1.1),
        Seen("a score", size / written["count"], None, "B"),
        Seen("the forge behind its time, at most", written["late_s"], 2, "s", everywhere=False),
    ]


def _all_read(console: ConsoleProcess) -> float:
    return sum(_read_bytes(console).values())


def _read_bytes(console: ConsoleProcess) -> dict[str, float]:
    pattern = r'^meltwatch_console_read_bytes_total\{topic="(\w+)"\} (\S+)$'
    found = re.findall(pattern, console.probe("/metrics")[1], re.MULTILINE)
    return {topic: float(size) for topic, size in found}


def _bytes_a_second(told: dict[str, Any]) -> float:
    """Return how much came a second to one, the whole pictures at the beginning left out."""
    series = told["bytes"]
    (first_s, first), (last_s, last) = series[min(3, len(series) - 2)], series[-1]
    return float((last - first) / (last_s - first_s) / told["count"])


def _snapshot(url: str) -> bytes:
    """Return the first event of a stream."""
    with urlopen(f"{url}api/v1/stream", timeout=LIMIT_S) as stream:  # noqa: S310 - ours
        while not (line := stream.readline()).startswith(b"data: "):
            pass
        return bytes(line[6:])


def _code() -> list[Path]:
    """Return what a browser fetches for the first page, and for all others."""
    return [each for each in FOLDER.rglob("*") if each.is_file() and each.suffix != ".txt"]


def _of_one_look(
    console: ConsoleProcess, probe: PageProbe, address: str, topics: Topics
) -> list[Seen]:
    """Look at one furnace, then at five hundred rows: what only who looks pays for."""
    furnace = FurnaceForge(address, topics, FURNACE, SystemClock().now_ns() - AGO_S * NS_PER_S)
    furnace.write(LONG_S)
    wait_for_scores(console, furnace)
    before = _read_bytes(console).get("embeddings", 0)
    with meltwatch.connect(console.url) as plant:
        frames = len(plant.frames(FURNACE))  # of its newest window
    of_frames = _read_bytes(console)["embeddings"] - before
    with AlarmForge(address, topics.prefix) as forge:
        for name in names(ROWS):
            forge.raised(f"{name}/MANY", "medium")
        forge.flush()
        probe.eye.until(f"document.querySelectorAll('.row').length >= {ROWS}", "the rows")
        ours, plain = probe.against_table()
    return [
        Seen("read from Kafka per frame shown", of_frames / frames / 1e3,
             2 * FRAME_KB, "kB"),
        Seen(f"{ROWS} alarm rows over a plain table", ours / plain, 0.35),
        Seen("the plain table", plain, None, "ms"),
    ]  # fmt: skip
