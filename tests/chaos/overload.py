"""A producer that is far too fast: memory stays bounded, nothing is lost, nobody has to help."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from matplotlib.figure import Figure

from tests.chaos.report import Report
from tests.chaos.site import ONE_THREAD, Site
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import Worker
from tests.support.source import ROOT

NAME: Final = "overload"
SPEED: Final = 10.0
"""Event seconds per second, of every furnace at once."""
PICTURE: Final = Path(".meltwatch/overload.svg")
FURNACES: Final = 12
_SAMPLE_S: Final = 0.5
_CATCH_UP_S: Final = 1800.0
_STILL_S: Final = 10.0
_HOP_S: Final = 1.44
_ROUND_S: Final = 10.0
# Of so many windows one is judged once more by another client; all are checked otherwise.
_EVERY: Final = 10
_MIB: Final = 1024 * 1024


@dataclass
class Course:
    """How an overload went, sample by sample.

    Attributes
    ----------
    seconds
        Since the beginning.
    rss_mib
        Resident memory of the worker.
    sent, published
        Window numbers that the sent records make due, and scores, so far.
    """

    seconds: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    published: list[int] = field(default_factory=list)


class Watch:
    """Samples a worker's memory and progress until it is left."""

    def __init__(self, worker: Worker, site: Site, flood_s: float) -> None:
        self.course = Course()
        self._worker = worker
        self._site = site
        self._flood_s = flood_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        start_s, course = time.monotonic(), self.course
        while not self._over.wait(_SAMPLE_S):
            seconds = time.monotonic() - start_s
            course.seconds.append(seconds)
            course.rss_mib.append(rss_mib(self._worker.process.pid))
            due_s = min(seconds, self._flood_s) * SPEED
            course.sent.append(due_s / _HOP_S * FURNACES)
            course.published.append(self._site.count())


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Send too fast for ten seconds a round, then see everything scored."""
    seconds = _ROUND_S * rounds
    with stage.site() as site:
        site.send_load(seed, "nobody")
        worker = site.worker()
        worker.until_ready()
        site.fault("the flood begins")
        flood = _flood(site, seconds)
        with Watch(worker, site, seconds) as watch:
            assert flood.wait(2 * seconds + 60) == 0
            sent_s = watch.course.seconds[-1]
            _wait_until_still(watch.course)
        report = site.finish(NAME, rounds, every=_EVERY)
    report.notes += _notes(watch.course, seconds, sent_s)
    PICTURE.parent.mkdir(exist_ok=True)
    draw(watch.course, PICTURE)
    return report


def _flood(site: Site, seconds: float) -> "subprocess.Popen[bytes]":
    arguments = {
        "kafka": site.kafka,
        "prefix": site.prefix,
        "furnaces": FURNACES,
        "speed": SPEED,
        "seconds": seconds,
    }
    options = [f"--{name}={value}" for name, value in arguments.items()]
    program = [sys.executable, "-m", "tests.chaos.flood", *options]
    return subprocess.Popen(program, cwd=ROOT, env=os.environ | ONE_THREAD)


def _wait_until_still(course: Course) -> None:
    """Wait until no score has come for a while."""
    deadline_s = time.monotonic() + _CATCH_UP_S
    still = round(_STILL_S / _SAMPLE_S)
    while len(set(course.published[-still:])) > 1:
        assert time.monotonic() < deadline_s, f"{course.published[-1]} windows and no end"
        time.sleep(_SAMPLE_S)


def _notes(course: Course, seconds: float, sent_s: float) -> list[str]:
    total = course.published[-1]
    done_s = next(s for s, n in zip(course.seconds, course.published, strict=True) if n == total)
    while_sent = max(
        n for s, n in zip(course.seconds, course.published, strict=True) if s <= sent_s
    )
    half = len(course.rss_mib) // 2
    due, published = total / sent_s, while_sent / sent_s
    memory = course.rss_mib
    return [
        f"{FURNACES} furnaces at {SPEED:g} times real time for {seconds:g} s",
        f"{due:.0f} windows/s due, {published:.0f} published meanwhile",
        f"caught up {done_s - sent_s:.0f} s after the last record",
        f"memory at most {max(memory):.0f} MiB, in the second half {max(memory[half:]):.0f} MiB",
        f"picture in {PICTURE}",
    ]


def draw(course: Course, path: Path) -> None:
    """Draw the course: windows due and published above, memory below."""
    figure = Figure(figsize=(8, 5))
    windows, memory = figure.subplots(2, 1, sharex=True)
    windows.plot(course.seconds, course.sent, label="due by what was sent")
    windows.plot(course.seconds, course.published, label="published")
    windows.set_ylabel("windows")
    windows.legend()
    memory.plot(course.seconds, course.rss_mib, color="tab:red")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("worker's memory, MiB")
    memory.set_xlabel("seconds")
    figure.suptitle(f"{FURNACES} furnaces at {SPEED:g} times real time, then nothing")
    figure.savefig(path, metadata={"Date": None})


def rss_mib(pid: int) -> float:
    """Resident memory of a process, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
