"""One console with its own topics, for a whole file of tests that only look."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from meltwatch_local_cluster.servers import KafkaServer
from playwright.sync_api import Browser

from tests.integration.console.bench import AlarmForge, ConsoleProcess, plant_file
from tests.integration.console.onlooker import Onlooker
from tests.support.servers import fresh_topics

AREA = "demo/smelting-1"
FURNACES = [f"{AREA}/FMF-{number:02}" for number in range(1, 9)]
PRIORITIES = ("critical", "high", "medium", "low")
STATES = ("UNACK", "ACKED", "RTNUN", "LATUN", "LATAK")


class Scene:
    """A console, a forge of its alarms, and who looks at it.

    Parameters
    ----------
    kafka
        The broker; the topics on it are the scene's own.
    folder
        Logs.
    chromium
        The browser; None where nobody looks at the page.
    furnaces
        Of the plant.
    settings
        Of the console.
    """

    def __init__(
        self,
        kafka: KafkaServer,
        folder: Path,
        chromium: Browser | None,
        furnaces: list[str] = FURNACES,
        **settings: str,
    ) -> None:
        self.kafka = kafka
        self._folder = folder
        self._chromium = chromium
        self._furnaces = furnaces
        self._settings = settings
        self._all = ExitStack()
        self._eyes: list[Onlooker] = []

    def __enter__(self) -> Self:
        with self._all:
            self.topics = self._all.enter_context(fresh_topics(self.kafka))
            self.console = ConsoleProcess(
                self._folder / "console.log", kafka=self.kafka.address,
                topic_prefix=self.topics.prefix,
                plant_file=str(plant_file(self._folder, self._furnaces)), **self._settings,
            )  # fmt: skip
            self._all.enter_context(self.console)
            self.forge = AlarmForge(self.kafka.address, self.topics.prefix)
            self._all.enter_context(self.forge)
            self.console.wait_live()
            self._all = self._all.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def look(self, width: int = 1920, url: str = "", **how: Any) -> Onlooker:
        """Return who looks at the page, at another address if one is given, once it is live."""
        assert self._chromium is not None
        eye = Onlooker(self._chromium, url or self.console.url, width, how)
        self._eyes.append(eye)
        eye.wait_live()
        return eye

    def close_eyes(self) -> None:
        """Close all windows: each open page goes on working, and slows the next one down."""
        eyes, self._eyes = self._eyes, []
        for eye in eyes:
            eye.close()
        for eye in eyes:
            assert not eye.complaints, eye.complaints

    def raise_all_kinds(self) -> int:
        """Raise an alarm of each priority and state, and one of the system; return how many."""
        for priority, furnace in zip(PRIORITIES, self._furnaces, strict=False):
            for state in STATES:
                self.forge.state(f"{furnace}/{state}", state, priority, title=state)
        last = f"{self._furnaces[-1]}/X"
        self.forge.state(last, "UNACK", mode="advisory", **{"class": "system"})
        self.forge.flush()
        return len(PRIORITIES) * len(STATES) + 1


def wait_rows(eye: Onlooker, count: int) -> None:
    """Wait until the page lists so many alarms."""
    eye.until(f"document.querySelectorAll('.row').length === {count}", f"{count} rows")
