"""Twenty furnaces in one partition in real time: how soon another worker goes on for a dead one."""

import json
from typing import Final

from tests.chaos.load import CROWD, WARM_UP_CYCLES
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, wait_for_event
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import Worker
from tests.support.waiting import until

NAME: Final = "takeover"
SESSION_S: Final = 6.0
LIMIT_S: Final = 10.0
# Windows of the crowd while it has no video, each currents alone and not whole yet.
_WARM: Final = int(CROWD * WARM_UP_CYCLES * 50 / 1.44)


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Kill the worker that has the crowd; the other one takes its partition and all it held."""
    with stage.site(speed=1.0) as site:
        site.send_load(seed, "crowd")
        session = {"session_timeout_s": SESSION_S}
        workers = [site.worker(**session), site.worker(**session)]
        for worker in workers:
            wait_for_event(worker, "partition_restored")
        until(lambda: site.count() > _WARM, site.last_lines, PATIENCE_S)
        for _ in range(rounds):
            site.wait_more(5 * CROWD)
            owner = next(worker for worker in workers if 0 in _partitions(worker))
            workers.remove(owner)
            site.fault("kill -9 of the worker that has the crowd")
            owner.kill()
            site.wait_more(CROWD)
            workers.append(site.worker(**session))
            wait_for_event(workers[-1], "partitions_assigned")
        report = site.finish(NAME, rounds)
    slow = [f"{seconds:.1f} s" for seconds in report.recoveries if seconds > LIMIT_S]
    report.verdict.lost += [f"first window {time} after a kill" for time in slow]
    return report


def _partitions(worker: Worker) -> list[int]:
    """What a worker was assigned last."""
    lines = [line for line in worker.log.read_text().splitlines() if "partitions_assigned" in line]
    return list(json.loads(lines[-1])["partitions"]) if lines else []
