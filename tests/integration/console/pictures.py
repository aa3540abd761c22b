"""``python -m tests.integration.console.pictures``: the pictures of docs/console.md, made anew.

A console on a real broker, a simulated plant in which a fault has just begun, and a browser.
Options: a folder to write to, and the width of the window (``/tmp/look 390``).
"""

import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import numpy as np
from kafka import KafkaProducer
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.metrics import Metrics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA, Modality, ScoreStatus, encode_score
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator.schedule import KIND, Fault
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.integration.console.conftest import chromium_program
from tests.integration.console.furnace_forge import FURNACE, FurnaceForge, heard, told
from tests.integration.console.onlooker import Onlooker
from tests.integration.console.scene import Scene
from tests.support.backtest_folders import run_of, write_backtest
from tests.support.builders import window_score
from tests.support.servers import Topics
from tests.support.source import ROOT

FOLDER: Final = ROOT / "docs/pictures/console"
MOST_BYTES: Final = 200_000
THEMES: Final = ("dark", "light")
WIDTH: Final = 1280
"""Narrower than a control room's screen: text can be read on a page of docs."""
PAST_S: Final = 90
QUIET_S: Final = 30
LONG_S: Final = 300
_COMMON: Final = 96
AREAS: Final = {"smelting-1": 16, "smelting-2": 24, "casting": 8}
FURNACES: Final = [
    f"demo/{area}/FMF-{n:02}" for area, count in AREAS.items() for n in range(1, count + 1)
]
BLIND: Final = {FURNACES[6]: Modality.CURRENT, FURNACES[29]: Modality.VIDEO}
"""These have one of their inputs alone."""


@dataclass(frozen=True, slots=True)
class PageOfDocs:
    """A page that the docs show.

    Attributes
    ----------
    address
        Behind the console's.
    waits
        Selectors, and texts where some are needed, that must be visible first.
    """

    address: str
    waits: tuple[tuple[str, str | None], ...]


_TRACES: Final = (("[data-trace=score] canvas", None), ("[data-trace=currents] canvas", None))
PAGES: Final = {
    "plant": PageOfDocs("#/", ((".row.open .frame", None), (".row.open .sight", "Spot"))),
    "furnace": PageOfDocs(
        f"#/f/{FURNACE}",
        (*_TRACES, ("main.furnace .frame", None), (".journal li", "raised"), (".film img", None)),
    ),
    "review": PageOfDocs(
        f"#/review?furnace={FURNACE}",
        (*_TRACES, (".event .frame", None), (".strip .still[aria-current=true]", None)),
    ),
    "backtests": PageOfDocs("#/backtests?a=limit-2.9&b=limit-3.5", ((".facts", None),)),
    "system": PageOfDocs("#/system", ((".inputs tbody tr", None), (".figures tbody tr", None))),
}


def show(eye: Onlooker, name: str) -> None:
    """Open a page and wait until all of it is there."""
    page = PAGES[name]
    eye.page.goto(f"{eye.page.url.partition('#')[0]}{page.address}")
    for selector, text in page.waits:
        eye.wait(selector, text)
    eye.until("[...document.images].every((each) => each.complete)", "all pictures")
    eye.page.evaluate("scrollTo(0, 0)")
    eye.page.wait_for_timeout(500)  # traces are drawn after what is waited for


def shot(eye: Onlooker, *, whole: bool = False) -> bytes:
    """Return what is seen as PNG with a palette: what is common exactly, the rest nearly."""
    with Image.open(BytesIO(eye.page.screenshot(animations="disabled", full_page=whole))) as image:
        pixels = np.asarray(image.convert("RGB"))
    colours, where, counts = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    common = colours[np.argsort(counts)[-_COMMON:]]
    others = Image.fromarray(colours[None]).quantize(256 - _COMMON).getpalette() or []
    palette = np.concatenate([common, np.array(others, np.uint8).reshape(-1, 3)]).astype(np.int32)
    apart = np.abs(colours[:, None].astype(np.int32) - palette[None]).sum(axis=2)
    drawn = Image.fromarray(apart.argmin(axis=1)[where].reshape(pixels.shape[:2]).astype(np.uint8))
    drawn.putpalette(palette.astype(np.uint8).tobytes())
    packed = BytesIO()
    drawn.save(packed, "PNG", optimize=True)
    return packed.getvalue()


@dataclass(frozen=True, slots=True)
class OneFault:
    """A schedule of one fault, which lasts for as long as somebody takes pictures."""

    start_ns: int

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the fault if it overlaps ``[start_ns, end_ns)``."""
        over_ns = self.start_ns + LONG_S * NS_PER_S
        fault = Fault(furnace_id, self.start_ns, over_ns, KIND, heavy_mist=False)
        return (fault,) if start_ns < over_ns and end_ns > self.start_ns else ()


@dataclass
class LivePlant:
    """Writes what happens in a simulated plant, while somebody looks.

    Attributes
    ----------
    address, topics
        Where it is written.
    fault
        The furnace that has one.
    origin_ns
        Since when.
    """

    address: str
    topics: Topics
    fault: FurnaceForge
    origin_ns: int
    _ends_ns: dict[str, int] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        for furnace in FURNACES[1:]:
            self._ends_ns[furnace] = PUBLISHED_SPEC.first_end_after(furnace, self.origin_ns)
        self._write()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._ended.wait(1.0):
            self._write()

    def _write(self) -> None:
        now_ns = SystemClock().now_ns()
        self.fault.write((now_ns - self.origin_ns) / NS_PER_S)
        with closing(KafkaProducer(bootstrap_servers=self.address)) as producer:
            for furnace in self._ends_ns:
                self._write_scores(producer, furnace, now_ns)
            producer.flush()

    def _write_scores(self, producer: KafkaProducer, furnace: str, now_ns: int) -> None:
        modalities = (BLIND[furnace],) if furnace in BLIND else tuple(Modality)
        status = ScoreStatus.DEGRADED if furnace in BLIND else ScoreStatus.SCORED
        while (end_ns := self._ends_ns[furnace]) < now_ns:
            score = window_score(
                end_ns, furnace, -4.2, modalities=modalities, status=status,
                source_states=heard(end_ns, modalities),
                video_coverage=float(Modality.VIDEO in modalities),
                current_coverage=float(Modality.CURRENT in modalities),
            )  # fmt: skip
            producer.send(
                self.topics.name(Topic.SCORES), key=furnace.encode(), value=encode_score(score),
                headers=list(headers_for(SCHEMA)), timestamp_ms=timestamp_ms(end_ns),
            )  # fmt: skip
            self._ends_ns[furnace] = end_ns + PUBLISHED_SPEC.hop_ns


def raise_alarms(scene: Scene, fault: FurnaceForge) -> None:
    """Raise the alarm of the fault, and have some older ones."""
    forge, hot = scene.forge, "Furnace overheating"
    forge.state(f"{FURNACES[10]}/OVERHEAT", "ACKED", ago_s=900, title=hot)
    unequal = "Phase currents unequal"
    forge.state(f"{FURNACES[21]}/UNEQUAL", "RTNUN", "medium", ago_s=1_500, title=unequal)
    system = {"class": "system"}
    forge.state(
        f"{FURNACES[6]}/VIDEO_LOST", "ACKED", "low", ago_s=2_400, title="Camera lost", **system
    )
    now_ns = SystemClock().now_ns()
    shelf = {
        "by": "li", "reason": "maintenance", "one_shot": False,
        "since": utc_from_ns(now_ns - 600 * NS_PER_S),
        "until": utc_from_ns(now_ns + 3_000 * NS_PER_S),
    }  # fmt: skip
    forge.state(f"{FURNACES[40]}/OVERHEAT", "SHLVD", ago_s=700, title=hot, shelve=shelf)
    forge.raised(f"{FURNACE}/OVERHEAT", title=hot, **told(fault.loud()))
    forge.flush()


def write_backtests(folder: Path) -> None:
    """Write two of the same span, with limits of their own."""
    write_backtest(folder / "limit-2.9")
    other = run_of(run_id="5d1f0c0000000001", ours=(115, 480), thresholds={"all": [3.5, None]})
    write_backtest(folder / "limit-3.5", other, finished_s=60)


@contextmanager
def services() -> Iterator[str]:
    """Give the addresses of services that say how they do, as a console is told them."""
    processor, manager = Metrics(), Metrics()
    for topic in ("embeddings", "currents"):
        processor.records.labels("stream_processor", topic, "taken").inc(96_000)
    processor.windows.labels("scored").inc(31_480)
    processor.windows.labels("degraded").inc(1_240)
    processor.late.labels("video").inc(3)
    processor.scoring_endpoint_up.labels("triton-0:8001").set(1)
    processor.dependency_up.labels("kafka").set(1)
    for _ in range(20):
        processor.event_to_score.observe(1.1)
    manager.leader.set(1)
    for name in ("kafka", "redis"):
        manager.dependency_up.labels(name).set(1)
    health = Health(progress=lambda: None, readiness=lambda: None)
    with ExitStack() as stack:
        told = []
        for name, each in (("stream_processor", processor), ("alarm_manager", manager)):
            server = stack.enter_context(HealthServer("127.0.0.1:0", health, each.registry))
            told.append(f"{name}={server.address}")
        yield ",".join(told)


@contextmanager
def living_scene(chromium: Browser, kafka: KafkaServer, logs: Path) -> Iterator[Scene]:
    """Give a console that shows a simulated plant of 48 furnaces, with a fault in one of them."""
    write_backtests(logs / "backtests")
    with services() as metrics:
        settings = {
            "console_time_zone": "Asia/Shanghai", "console_metrics": metrics,
            "console_backtests": str(logs / "backtests"),
            "console_evidence_dir": str(logs / "evidence"),
        }  # fmt: skip
        with Scene(kafka, logs, chromium, FURNACES, **settings) as scene:
            origin_ns = SystemClock().now_ns() - PAST_S * NS_PER_S
            hot = OneFault(origin_ns + QUIET_S * NS_PER_S)
            fault = FurnaceForge(kafka.address, scene.topics, FURNACE, origin_ns, hot)
            with LivePlant(kafka.address, scene.topics, fault, origin_ns):
                raise_alarms(scene, fault)
                yield scene


def take(scene: Scene, folder: Path, width: int = WIDTH, *, whole: bool = False) -> Iterator[Path]:
    """Take every page in both themes, and yield each file."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        eye = scene.look(width, color_scheme=theme, reduced_motion="reduce")
        if width == WIDTH:
            eye.page.set_viewport_size({"width": WIDTH, "height": 900})
        for name in PAGES:
            show(eye, name)
            file = folder / f"{name}-{theme}.png"
            file.write_bytes(shot(eye, whole=whole))
            yield file
        scene.close_eyes()


def main(arguments: list[str]) -> int:
    """Take all pictures and say how large they are."""
    program = chromium_program()
    if program is None:
        print("expected Chromium, found none", file=sys.stderr)
        return 1
    folder = Path(arguments[0]) if arguments else FOLDER
    width = int(arguments[1]) if arguments[1:] else WIDTH
    with (
        tempfile.TemporaryDirectory(prefix="meltwatch-pictures-") as logs,
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser,
        KafkaServer(Path(logs) / "kafka") as kafka,
        living_scene(browser, kafka, Path(logs)) as scene,
    ):
        for path in take(scene, folder, width, whole=width != WIDTH):
            print(f"{path}: {path.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main(sys.argv[1:]))
