"""Triton is killed, restarted, frozen or slowed under load; once it is away beyond patience."""

import os
import random
import signal
import time
from collections.abc import Sequence
from typing import Final

import psutil
from meltwatch_local_cluster.servers import TritonServer

from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site
from tests.chaos.stage import Stage
from tests.chaos.verdict import UNAVAILABLE
from tests.integration.stream_processor.worker import scores_of
from tests.support.waiting import until

NAME: Final = "triton"
LONG: Final = "triton-long"
SLOW: Final = "triton-slow"
# Shorter than the load needs windows for; longer than what a start takes.
_PATIENCE_S: Final = 3.0
# Several times the patience for outages of those who ask: it is there, and answers, all the time.
_SLOW_S: Final = 25.0
_SLOW_PATIENCE_S: Final = 6.0
_RUNS_S: Final = 0.02
_RESTS_S: Final = 0.4


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Short outages: they cost delay and no verdict."""
    rng = random.Random(seed)
    triton = stage.triton
    breaks = (("frozen", _freeze), ("killed", _kill), ("frozen", _freeze), ("restarted", _restart))
    with stage.site(triton=triton) as site:
        site.send_load(seed)
        site.worker(scoring_deadline_s=2.0)
        site.wait_more()
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 60))
            name, break_it = breaks[number % len(breaks)]
            break_it(triton, rng.uniform(0.1, 3.0))
            site.fault(f"Triton {name}")
        site.wait_more()
        return site.finish(NAME, rounds)


def run_long(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Outages longer than patience: windows go out unscored, in order, and then scored again."""
    triton = stage.triton
    with stage.site(triton=triton) as site:
        site.send_load(seed)
        patience = {"outage_patience_s": _PATIENCE_S, "probe_interval_s": 0.5}
        site.worker(scoring_deadline_s=2.0, **patience)
        site.wait_more()
        for _ in range(rounds):
            triton.kill()
            _wait_for_reason(site, present=True)
            triton.start()
            triton.wait_ready()
            site.fault("Triton away for longer than patience")
            _wait_for_reason(site, present=False)
        report = site.finish(LONG, rounds, outages=True)
    count = report.verdict.unscored_for_outage
    report.notes.append(f"{count} windows were unscored while Triton was away")
    if not count:
        report.verdict.changed.append("no window went out unscored in an outage beyond patience")
    return report


def run_slow(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """It answers, but not as many windows at a time as a quick one: all get their verdict."""
    triton = stage.triton
    with stage.site(triton=triton) as site:
        site.send_load(seed)
        site.worker(scoring_deadline_s=2.0, outage_patience_s=_SLOW_PATIENCE_S)
        site.wait_more()
        for _ in range(rounds):
            site.wait_more(20)
            _slow(triton)
            site.fault("Triton slowed")
        site.wait_more()
        return site.finish(SLOW, rounds)


def _wait_for_reason(site: Site, *, present: bool) -> None:
    """Wait until the newest score is one of an outage, or a verdict."""

    def is_so() -> bool:
        newest = scores_of(site.published()[-5:])
        return any(
            UNAVAILABLE in score.reasons if present else score.logit is not None for score in newest
        )

    until(is_so, site.last_lines, PATIENCE_S)


def _freeze(triton: TritonServer, away_s: float) -> None:
    """Stop the server alone: its stubs, stopped for long, would be taken for dead."""
    pid = triton.state.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    time.sleep(away_s)
    os.kill(pid, signal.SIGCONT)


def _slow(triton: TritonServer) -> None:
    """Let server and models run for a small part of the time."""
    pid = triton.state.pid
    assert pid is not None
    server = psutil.Process(pid)
    processes = [server, *server.children(recursive=True)]
    ends_s = time.monotonic() + _SLOW_S
    while time.monotonic() < ends_s:
        _send(processes, signal.SIGSTOP)
        time.sleep(_RESTS_S)
        _send(processes, signal.SIGCONT)
        time.sleep(_RUNS_S)


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)


def _kill(triton: TritonServer, away_s: float) -> None:
    triton.kill()
    time.sleep(away_s)
    triton.start()
    triton.wait_ready()


def _restart(triton: TritonServer, away_s: float) -> None:
    triton.stop()
    time.sleep(away_s)
    triton.start()
    triton.wait_ready()
