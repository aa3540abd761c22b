"""``kill -9`` of the worker at random moments: while it starts, restores, scores, publishes."""

import random
import time
from typing import Final

from tests.chaos.report import Report
from tests.chaos.site import Site, wait_for_event
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import Worker

NAME: Final = "worker-kill"
MOMENTS: Final = ("scoring", "publishing", "start", "assignment", "restore", "catch-up")


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Kill and start a worker again and again under load."""
    rng = random.Random(seed)
    with stage.site() as site:
        site.send_load(seed)
        for number in range(rounds):
            worker = site.worker(group_instance_id="one")
            moment = MOMENTS[number % len(MOMENTS)]
            _let_it_come_to(site, worker, moment, rng)
            site.fault(f"kill -9 of the worker: {moment}")
            worker.kill()
        site.worker(group_instance_id="one")
        site.wait_more()
        return site.finish(NAME, rounds)


def _let_it_come_to(site: Site, worker: Worker, moment: str, rng: random.Random) -> None:
    if moment == "start":
        time.sleep(rng.uniform(0.2, 3.0))
    elif moment == "assignment":
        wait_for_event(worker, "partitions_assigned")
        time.sleep(rng.uniform(0.0, 0.2))
    elif moment == "restore":
        wait_for_event(worker, "partition_restored")
        time.sleep(rng.uniform(0.0, 0.1))
    elif moment == "catch-up":
        site.wait_more()
        time.sleep(rng.uniform(0.0, 0.3))
    elif moment == "scoring":
        # Long enough for commits, which come every second.
        site.wait_more(80)
        time.sleep(rng.uniform(0.0, 1.0))
    else:
        site.wait_more(rng.randrange(1, 80))
