"""A console process, a forge of alarms, and a browser that looks at the page."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.alarm_manager.conftest import broker, make_manager
from tests.unit.core.alarms.conftest import plain_thresholds

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import KafkaServer
    from playwright.sync_api import Browser

    from tests.integration.console.bench import AlarmForge, ConsoleProcess
    from tests.integration.console.furnace_forge import FurnaceForge
    from tests.integration.console.onlooker import Onlooker
    from tests.support.servers import Topics
    from tests.support.warm_program import WarmProgram

__all__ = ["broker", "make_manager", "plain_thresholds"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def make_console(
    kafka: "KafkaServer", topics: "Topics", tmp_path: Path, warm_console: "WarmProgram"
) -> "Iterator[Callable[..., ConsoleProcess]]":
    from tests.integration.console.bench import ConsoleProcess, plant_file

    made: list[ConsoleProcess] = []

    def make(furnaces: list[str] | None = None, **environ: str) -> ConsoleProcess:
        settings = {"kafka": kafka.address, "topic_prefix": topics.prefix}
        if furnaces is not None:
            settings["plant_file"] = str(plant_file(tmp_path, furnaces))
        log = tmp_path / f"console{len(made)}.log"
        made.append(ConsoleProcess(log, **(settings | environ)))
        made[-1].warm = warm_console
        return made[-1].start()

    yield make
    for process in made:
        process.__exit__()


@pytest.fixture
def forge(kafka: "KafkaServer", topics: "Topics") -> "Iterator[AlarmForge]":
    from tests.integration.console.bench import AlarmForge

    with AlarmForge(kafka.address, topics.prefix) as made:
        yield made


@pytest.fixture
def furnace(kafka: "KafkaServer", topics: "Topics") -> "FurnaceForge":
    """A furnace with a minute and a half of past, in which a fault comes and goes."""
    from meltwatch_chassis.clock import SystemClock
    from meltwatch_schemas.window import NS_PER_S

    from tests.integration.console.furnace_forge import AGO_S, FURNACE, LONG_S, FurnaceForge

    origin_ns = SystemClock().now_ns() - AGO_S * NS_PER_S
    made = FurnaceForge(kafka.address, topics, FURNACE, origin_ns)
    made.write(LONG_S)
    return made


def chromium_program() -> str | None:
    """Return where a browser is, None where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """A browser for a file of tests: while it is open, its driver's event loop runs in this thread,
    and no test of another file could run one of its own."""
    program = chromium_program()
    if program is None:
        pytest.skip(f"needs a browser: install one of {', '.join(CHROMIUM)} (CI does)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _eyes_are_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever looked at a scene, which stays for a file of tests, has gone after each test."""
    names = {"scene", "crowd"} & set(request.fixturenames)
    scenes = [request.getfixturevalue(name) for name in sorted(names)]
    yield
    for scene in scenes:
        scene.close_eyes()


@pytest.fixture
def look(chromium: "Browser") -> "Iterator[Callable[..., Onlooker]]":
    from tests.integration.console.onlooker import Onlooker

    made: list[Onlooker] = []

    def make(console: "ConsoleProcess", width: int = 1920, **how: Any) -> "Onlooker":
        made.append(Onlooker(chromium, console.url, width, how))
        return made[-1]

    yield make
    for each in made:
        each.close()
        assert not each.complaints, each.complaints
