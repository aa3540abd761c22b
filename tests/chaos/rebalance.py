"""Two workers share the partitions; one is killed, leaves or joins, and sometimes both at once."""

import random
import time
from typing import Final

from tests.chaos.report import Report
from tests.chaos.site import Site, wait_for_event
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import Worker

NAME: Final = "rebalance"
TURNS: Final = ("kill", "join", "leave", "join", "join and kill", "join and leave")


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Change who reads which partition, again and again under load."""
    rng = random.Random(seed)
    with stage.site() as site:
        site.send_load(seed)
        workers = [_join(stage, site), _join(stage, site)]
        for worker in workers:
            wait_for_event(worker, "partition_restored")
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 30))
            turn = TURNS[number % len(TURNS)]
            if "join" in turn:
                workers.append(_join(stage, site))
            if turn.startswith("join and"):
                wait_for_event(workers[-1], "service_started")
                time.sleep(rng.uniform(0.0, 1.5))
            site.fault(turn)
            if "kill" in turn:
                workers.pop(rng.randrange(2)).kill()
            if "leave" in turn:
                leaving = workers.pop(rng.randrange(2))
                assert leaving.stop() == 0, leaving.log.read_text()[-2000:]
            if "join" in turn:
                wait_for_event(workers[-1], "partition_restored")
            site.wait_more(rng.randrange(1, 30))
        return site.finish(NAME, rounds)


def _join(stage: Stage, site: Site) -> Worker:
    return site.worker(session_timeout_s=stage.session_s)
