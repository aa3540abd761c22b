"""Backlogs, slow and dead cameras, wrong clocks and strangers, while the worker is killed.

All happens in real time, for idleness goes by the reader's clock. In each round two furnaces come
back from an outage, the one with its meter's backlog first, the other with its camera's. They
share a partition with live ones. The worker dies once while they wait for the other modality, once
while it restores, and once while it catches up.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.chaos import plant
from tests.chaos.fair_weather import disturbed
from tests.chaos.load import CROWD
from tests.chaos.outlet import Outlet
from tests.chaos.plant import Outage, Sky
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, wait_for_event
from tests.chaos.stage import Stage
from tests.chaos.tape import Reader
from tests.chaos.wind import Wind
from tests.integration.stream_processor.worker import Worker
from tests.support.waiting import until

NAME: Final = "weather"
MOMENTS: Final = ("waits", "restores", "catches up")
_CROWDED: Final = 1
"""The round in which twenty more are in the partition."""
_LENGTHS_S: Final = (60.0, 600.0)
_AT_FIRST_S: Final = (60.0, 150.0)
_SOON_NS: Final = 3 * NS_PER_S
# Of so many windows one is scored once more; what it rests on is checked for all.
_EVERY: Final = 10


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Let the weather be bad again and again, and kill the worker in it."""
    with (
        stage.site() as site,
        Outlet(site.kafka, site.prefix) as outlet,
        Wind(site.kafka, site.prefix) as wind,
    ):
        storm = _Storm(site, outlet, wind, random.Random(seed))
        for number in range(rounds):
            storm.blow(number)
        wind.calm()
        report = site.finish(NAME, rounds, lockstep=False, every=_EVERY)
        with Reader(site.kafka, site.prefix) as reader:
            report.verdict.changed += disturbed(reader.tape(), storm.undisturbed)
    report.notes += storm.notes
    return report


class _Storm:
    """The rounds.

    Attributes
    ----------
    undisturbed
        Furnaces that must be as in fair weather.
    notes
        What was drawn.
    """

    def __init__(self, site: Site, outlet: Outlet, wind: Wind, rng: random.Random) -> None:
        self._site, self._outlet, self._wind, self._rng = site, outlet, wind, rng
        self._sky = Sky()
        self._worker = self._start()
        self.undisturbed = list(plant.JOINED)
        self.notes: list[str] = []
        wind.carry(*plant.live(self._sky, time.time_ns()))
        site.wait_more()

    def blow(self, number: int) -> None:
        """One round."""
        self._sky.worsens()
        self._crowd(number)
        outages = self._outages(number)
        self._outlet.send(list(plant.strangers(number, time.time_ns())))
        moments: Sequence[Callable[[Sequence[Outage]], None]]
        moments = (self._while_it_waits, self._while_it_restores, self._while_it_catches_up)
        moments[number % len(MOMENTS)](outages)
        self._wait_until_up_to_now([outage.name for outage in outages])
        self._wait_until_up_to_now([plant.DEAD, plant.BACK])
        self._sky.clears()
        for outage in outages:
            outage.is_over = True

    def _outages(self, number: int) -> list[Outage]:
        limits_s = _LENGTHS_S if number else _AT_FIRST_S
        lengths_s = [self._rng.uniform(*limits_s) for _ in Modality]
        names = [plant.named(f"{modality}-first", number=number) for modality in Modality]
        self.undisturbed += names
        self.notes.append(
            f"round {number + 1}, killed while it {MOMENTS[number % len(MOMENTS)]}: "
            + ", ".join(f"{s:.0f} s of {m} first" for m, s in zip(Modality, lengths_s, strict=True))
        )
        until_ns = time.time_ns()
        return [
            plant.outage(*drawn, until_ns) for drawn in zip(names, Modality, lengths_s, strict=True)
        ]

    def _crowd(self, number: int) -> None:
        if number == _CROWDED:
            self._sky.is_crowded = True
            names = [plant.named("crowd", number=index) for index in range(CROWD)]
            self.undisturbed += names
            self._wind.carry(*plant.crowd(names, self._sky, time.time_ns()))

    def _while_it_waits(self, outages: Sequence[Outage]) -> None:
        self._deliver_first(outages)
        time.sleep(self._rng.uniform(0.2, 3.0))
        self._kill("while it waits")
        self._deliver_rest(outages)
        self._worker = self._start()

    def _while_it_restores(self, outages: Sequence[Outage]) -> None:
        self._kill("and backlogs come")
        self._deliver_first(outages)
        time.sleep(self._rng.uniform(0.0, 3.0))
        self._deliver_rest(outages)
        self._worker = self._start()
        wait_for_event(self._worker, "partition_restored")
        time.sleep(self._rng.uniform(0.0, 0.3))
        self._kill("while it restores")
        self._worker = self._start()

    def _while_it_catches_up(self, outages: Sequence[Outage]) -> None:
        self._deliver_first(outages)
        time.sleep(self._rng.uniform(0.0, 1.0))
        self._deliver_rest(outages)
        self._wait_for(lambda: any(outage.name in self._newest_ns() for outage in outages))
        time.sleep(self._rng.uniform(0.0, 2.0))
        self._kill("while it catches up")
        self._worker = self._start()

    def _deliver_first(self, outages: Sequence[Outage]) -> None:
        for outage in outages:
            self._outlet.send(outage.bursts[0])

    def _deliver_rest(self, outages: Sequence[Outage]) -> None:
        for outage in outages:
            self._outlet.send(outage.bursts[1])
            self._wind.carry(*outage.live())

    def _kill(self, moment: str) -> None:
        self._site.fault(f"kill -9 of the worker {moment}")
        self._worker.kill()
        self._outlet.send([plant.intruder(plant.PLAIN, time.time_ns())])

    def _start(self) -> Worker:
        return self._site.worker(group_instance_id="one")

    def _wait_until_up_to_now(self, names: Sequence[str]) -> None:
        """Wait until windows come of some furnaces that end about now."""
        since_ns = time.time_ns() - _SOON_NS
        self._wait_for(lambda: min(self._newest_ns().get(name, 0) for name in names) > since_ns)

    def _newest_ns(self) -> dict[str, int]:
        """Per furnace, the end of its newest window; Kafka keeps it as the timestamp."""
        return {
            (record.key or b"").decode(): record.timestamp * NS_PER_MS
            for record in self._site.published()
        }

    def _wait_for(self, condition: Callable[[], object]) -> None:
        until(condition, self._site.last_lines, PATIENCE_S)
