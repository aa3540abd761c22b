"""The real producers are killed in mid-send and started again, in real time."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from tests.chaos.report import Report
from tests.chaos.site import Site
from tests.chaos.stage import Stage

NAME: Final = "producer-kill"
SERVICES: Final = ("video_producer", "current_producer")
_FURNACES: Final = 4
_STOP_S: Final = 120.0


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Kill one producer after the other; each sends its last minutes again when it starts."""
    rng = random.Random(seed)
    with stage.site() as site, ExitStack() as running:
        producers = [
            running.enter_context(Producer(service, site, time.time_ns())) for service in SERVICES
        ]
        site.send_load(seed, "nobody")
        site.worker()
        site.wait_more()
        for number in range(rounds):
            time.sleep(rng.uniform(0.0, 1.5))
            producer = producers[number % 2]
            producer.kill()
            site.fault(f"{SERVICES[number % 2]} killed")
            producer.start()
            site.wait_more(rng.randrange(1, 8))
        for producer in producers:
            producer.stop()
        return site.finish(NAME, rounds, lockstep=False)


class Producer:
    """A producer's process on the simulator.

    Parameters
    ----------
    service
        Which one.
    site
        Where it sends to.
    origin_ns
        When the simulated plant began; the same after each start.
    """

    def __init__(self, service: str, site: Site, origin_ns: int) -> None:
        self._service = service
        self._log: Path = site.folder / f"{service}.log"
        self._environment = os.environ | {
            "MELTWATCH_KAFKA": site.kafka,
            "MELTWATCH_TOPIC_PREFIX": site.prefix,
            "MELTWATCH_SIMULATOR_FURNACES": str(_FURNACES),
            "MELTWATCH_SIMULATOR_ORIGIN_NS": str(origin_ns),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; return at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"meltwatch_{self._service}"],
                env=self._environment,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as a supervisor would, perhaps before it listens to that."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(_STOP_S)
        assert code in (0, -signal.SIGTERM), self._log.read_text()[-2000:]
