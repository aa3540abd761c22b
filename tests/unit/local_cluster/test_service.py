import os
import signal
from pathlib import Path

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_local_cluster.launch.plans import ServicePlan
from meltwatch_local_cluster.launch.service import Service
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports

from tests.support.waiting import until

pytestmark = pytest.mark.programs

SECOND_NS = 10**9
SERVER = """
import http.server, os
host, port = os.environ["MELTWATCH_HEALTH_ADDRESS"].split(":")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        problem = os.path.exists("broken")
        self.send_response(503 if problem else 200)
        self.end_headers()
        self.wfile.write(b"Kafka: no answer" if problem else b"ok")
    def log_message(self, *_): ...
http.server.HTTPServer((host, int(port)), Answer).serve_forever()
"""


class Bench:
    """One service made of a small program, and all that surrounds it."""

    def __init__(self, folder: Path, program: str, *, may_finish: bool = False) -> None:
        self.folder = folder
        (folder / "meltwatch_bench.py").write_text(
            f"import os; os.chdir({str(folder)!r})\n{program}"
        )
        health = f"{LOOPBACK}:{free_ports(1)[0]}"
        environment = {"PYTHONPATH": str(folder), "MELTWATCH_HEALTH_ADDRESS": health}
        plan = ServicePlan("bench", environment, health, folder / "bench.log", may_finish)
        self.clock = ManualClock()
        self.pids: list[int] = []
        self.service = Service(plan, self.clock, lambda _name, child: self.pids.append(child.pid))

    def watch_until(self, state: str) -> str:
        """Look at the service until it is in a state, and give the detail."""

        def reached() -> bool:
            self.service.watch()
            return self.service.state.state == state

        until(reached, f"the service is {state}")
        return self.service.state.detail


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(program: str, *, may_finish: bool = False) -> Bench:
        made.append(Bench(tmp_path, program, may_finish=may_finish))
        return made[-1]

    yield make
    for one in made:
        one.service.stop(grace_s=1)


def test_a_service_is_starting_until_it_says_that_it_is_ready(bench):
    one = bench(SERVER)
    one.service.start()
    assert one.service.state.state == "starting"
    assert one.watch_until("ready") == ""
    assert one.service.state.pid == one.pids[-1]


def test_a_ready_service_whose_dependency_goes_is_degraded_and_recovers(bench):
    one = bench(SERVER)
    one.service.start()
    one.watch_until("ready")
    (one.folder / "broken").touch()
    assert one.watch_until("degraded") == "Kafka: no answer"
    (one.folder / "broken").unlink()
    one.watch_until("ready")
    assert one.service.deaths == 0


def test_a_service_that_dies_is_down_until_its_pause_is_over_and_then_starts_again(bench):
    one = bench(SERVER)
    one.service.start()
    one.watch_until("ready")
    os.kill(one.pids[0], signal.SIGKILL)
    detail = one.watch_until("down")
    assert detail.startswith("down since 00:00:00 UTC, death 1, ended by signal 9 (Killed)")
    assert one.service.state.pid is None
    one.clock.advance(SECOND_NS // 2 - 1)
    one.service.watch()
    assert one.service.state.state == "down"
    one.clock.advance(1)
    one.watch_until("ready")
    assert len(one.pids) == 2


def test_a_service_that_keeps_dying_is_started_at_growing_intervals(bench):
    one = bench("raise SystemExit('Error: no such topic')")
    one.service.start()
    pauses = []
    for _ in range(4):
        detail = one.watch_until("down")
        died_ns = one.clock.time_ns
        while one.service.state.state == "down":
            one.clock.advance(SECOND_NS // 2)
            one.service.watch()
        pauses.append((one.clock.time_ns - died_ns) / SECOND_NS)
    assert pauses == [0.5, 1, 2, 4]
    assert "death 4, exit code 1: Error: no such topic" in detail


def test_a_producer_that_finishes_is_stopped_and_not_started_again(bench):
    one = bench("", may_finish=True)
    one.service.start()
    assert one.watch_until("stopped") == "finished"
    one.clock.advance(3600 * SECOND_NS)
    one.service.watch()
    assert len(one.pids) == 1
    assert one.service.deaths == 0


def test_a_producer_that_fails_is_started_again(bench):
    one = bench("raise SystemExit(1)", may_finish=True)
    one.service.start()
    one.watch_until("down")
    assert one.service.deaths == 1


def test_a_service_that_ends_by_itself_has_died(bench):
    one = bench("")
    one.service.start()
    assert "exit code 0" in one.watch_until("down")


def test_a_stopped_service_stays_stopped(bench):
    one = bench(SERVER)
    one.service.start()
    one.watch_until("ready")
    one.service.stop(grace_s=5)
    one.clock.advance(3600 * SECOND_NS)
    one.service.watch()
    assert one.service.state.state == "stopped"
    assert one.service.deaths == 0
    assert len(one.pids) == 1
