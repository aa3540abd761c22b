"""All that stands around one console for real: a broker, Redis, an alarm manager, and a cable."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from meltwatch_local_cluster.servers import KafkaServer, RedisServer
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_schemas.alarm import AlarmRecord
from playwright.sync_api import Browser

from tests.integration.alarm_manager.bench import Broker, ManagerProcess
from tests.integration.console.bench import ConsoleProcess, plant_file
from tests.integration.console.onlooker import Onlooker
from tests.support.relay import Relay
from tests.support.servers import made_topics
from tests.support.waiting import until
from tests.unit.core.alarms.samples import score

AREA: Final = "demo/smelting-1"
FURNACES: Final = [f"{AREA}/FMF-{number:02}" for number in range(1, 13)]
WORDS: Final = {
    "UNACK": "NEW", "ACKED": "seen", "RTNUN": "gone, not seen",
    "LATUN": "needs reset, not seen", "LATAK": "needs reset",
}  # fmt: skip
_ROWS: Final = """all => all.map(row => [
  row.querySelector(".where").title,
  row.querySelector(".title").textContent,
  row.querySelector(".state").textContent.slice(3),
])"""
_WATCH: Final = """() => {
  const list = document.querySelector(".rows");
  window.fewest = list.childElementCount;
  new MutationObserver(() => {
    window.fewest = Math.min(window.fewest, list.childElementCount);
  }).observe(list, { childList: true });
}"""


class PlantSite:
    """The servers and services of one plant, each of which can go away by itself.

    Parameters
    ----------
    folder
        Logs and data.
    """

    def __init__(self, folder: Path) -> None:
        self.kafka = KafkaServer(folder / "kafka")
        self.redis = RedisServer(folder / "redis")
        self._folder = folder
        self._all = ExitStack()
        self._windows: dict[str, int] = {}

    def __enter__(self) -> Self:
        enter = self._all.enter_context
        self.kafka.start()
        with self._all:
            enter(self.redis)
            self._all.callback(self.kafka.stop)
            self.kafka.wait_ready()
            topics = made_topics(self.kafka)
            told = {"kafka": self.kafka.address, "topic_prefix": topics.prefix}
            self.broker = Broker(self.kafka.address, topics.prefix)
            self._all.callback(self.broker.close)
            self.manager = ManagerProcess(
                self._folder / "manager.log", redis=self.redis.address,
                alarm_manager_instance="m", **told,
            )  # fmt: skip
            enter(self.manager)
            (port,) = free_ports(1)
            plant = plant_file(self._folder, FURNACES)
            self.console = ConsoleProcess(
                self._folder / "console.log", console_address=f"127.0.0.1:{port}",
                plant_file=str(plant), **told,
            )  # fmt: skip
            enter(self.console)
            self.cable = Relay(f"127.0.0.1:{port}")
            enter(self.cable)
            self.manager.wait_ready()
            self.console.wait_live()
            self._all = self._all.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def look(self, chromium: Browser, **how: Any) -> Onlooker:
        """Return who looks at the page over the cable."""
        eye = Onlooker(chromium, f"http://{self.cable.address}/", 1920, how)
        self._all.callback(eye.close)
        return eye

    def judge(self, furnace: str, logit: float, windows: int = 4) -> None:
        """Have a furnace scored for some windows."""
        first = self._windows.get(furnace, 0)
        self._windows[furnace] = first + windows
        self.broker.send_scores(score(first + each, logit, furnace) for each in range(windows))

    def overheat(self, furnace: str) -> None:
        """Have a furnace scored so that its alarm is raised."""
        self.judge(furnace, 6.0)

    def newest(self, furnace: str) -> AlarmRecord:
        """Wait until a furnace has an alarm, and return its newest record."""
        alarm_id = f"{furnace}/OVERHEAT"

        def found() -> AlarmRecord | None:
            return {each.alarm_id: each for each in self.broker.alarms()}.get(alarm_id)

        return until(found, lambda: f"{alarm_id}: {self.manager.last_line()}")

    def standing(self) -> set[tuple[str, str, str]]:
        """Return what the topic says of alarms that stand: furnace, title, word."""
        newest = {each.alarm_id: each for each in self.broker.alarms()}
        return {
            (each.equipment_path, each.title, WORDS[each.state])
            for each in newest.values()
            if each.state in WORDS and each.priority != "journal" and each.mode != "shadow"
        }


def rows_of(eye: Onlooker) -> set[tuple[str, str, str]]:
    """Return what the page says of alarms that stand."""
    return {tuple(row) for row in eye.page.eval_on_selector_all(".row", _ROWS)}


def wait_for_same(site: PlantSite, eye: Onlooker) -> None:
    """Wait until the page says what the topic says."""
    until(
        lambda: rows_of(eye) == site.standing(),
        lambda: f"page {rows_of(eye)}, topic {site.standing()}",
    )


def watch_rows(eye: Onlooker) -> None:
    """From now on note how few rows there ever are."""
    eye.page.evaluate(_WATCH)


def fewest_rows(eye: Onlooker) -> int:
    """Return how few rows there were since ``watch_rows``."""
    return int(eye.page.evaluate("window.fewest"))
