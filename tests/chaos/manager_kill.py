"""The alarm manager is killed, frozen until another one leads, and thawed again, under load."""

import random
import signal
import time
from typing import Final

from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, wait_for_event
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import Worker
from tests.support.waiting import until

NAME: Final = "manager-kill"
TURNS: Final = ("killed", "killed at its start", "killed in its take-over", "frozen", "succeeded")
LEADING: Final = "reign_began"
_WHILE_IT_WAKES: Final = 20
# Of so many windows one is scored once more: here it is about the alarms.
_EVERY: Final = 10


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """End the reign of one manager after the other."""
    rng = random.Random(seed)
    with stage.site() as site:
        site.send_load(seed)
        site.worker(session_timeout_s=stage.session_s)
        leader = site.managers[0]
        wait_for_event(leader, LEADING)
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 40))
            leader = _end_reign(site, leader, TURNS[number % len(TURNS)], rng)
        site.wait_more()
        return site.finish(NAME, rounds, every=_EVERY)


def _end_reign(site: Site, leader: Worker, turn: str, rng: random.Random) -> Worker:
    """Have another one lead; return it."""
    site.fault(f"the alarm manager is {turn}")
    if turn == "frozen":
        return _outlive(site, leader)
    if turn == "succeeded":
        heir = site.manager()
        wait_for_event(heir, "health_served")
        leader.kill()
    else:
        leader.kill()
        heir = site.manager(alarm_manager_instance="one")
    if turn.startswith("killed "):
        time.sleep(rng.uniform(0.2, 3.0) if "start" in turn else 0.0)
        if "take-over" in turn:
            wait_for_event(heir, LEADING)
        heir.kill()
        heir = site.manager(alarm_manager_instance="one")
    wait_for_event(heir, LEADING)
    return heir


def _outlive(site: Site, leader: Worker) -> Worker:
    """Freeze the leader until the standby leads, and let it go on as if nothing had been."""
    heir = site.manager()
    wait_for_event(heir, "health_served")
    leader.process.send_signal(signal.SIGSTOP)
    wait_for_event(heir, LEADING)
    said = leader.log.stat().st_size
    leader.process.send_signal(signal.SIGCONT)
    # One that is fenced steps down; one that is not goes on where it was, and says so.
    until(
        lambda: "meltwatch_leader 0.0" in leader.ask("metrics") or leader.log.stat().st_size > said,
        site.last_lines,
        PATIENCE_S,
    )
    site.wait_more(_WHILE_IT_WAKES)
    leader.kill()
    return heir
