"""The one broker is stopped and started, or killed and started, under load."""

import random
import time
from typing import Final

from tests.chaos.report import Report
from tests.chaos.stage import Stage

NAME: Final = "broker"


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Take the broker away and bring it back, again and again."""
    rng = random.Random(seed)
    kafka = stage.kafka
    with stage.site() as site:
        site.send_load(seed)
        site.worker(session_timeout_s=stage.session_s)
        site.wait_more()
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 60))
            if number % 2:
                kafka.stop()
            else:
                kafka.kill()
            time.sleep(rng.uniform(0.0, 2.0))
            kafka.start()
            kafka.wait_ready()
            site.fault("broker stopped and started" if number % 2 else "broker killed and started")
        site.wait_more()
        return site.finish(NAME, rounds)
