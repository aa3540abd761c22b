"""One service as a child process: started, watched, started again when it dies."""

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.run_state import ServiceState

from meltwatch_local_cluster.domain.restarts import deaths_after, delay_s
from meltwatch_local_cluster.launch.probe import readiness_problem
from meltwatch_local_cluster.servers.child import ChildProcess, Command

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class ServicePlan:
    """How to run a service.

    Attributes
    ----------
    name
        As in the folder of services: its module is ``meltwatch_<name>``.
    environment
        All that it is told.
    health_address
        Where it serves ``/readyz``, ``host:port``.
    log
        File for its output.
    may_finish
        Whether it may end by itself, as a producer whose stream ends does.
    """

    name: str
    environment: Mapping[str, str]
    health_address: str
    log: Path
    may_finish: bool = False


class Service:
    """A service that is kept running.

    Parameters
    ----------
    plan
        How to run it.
    clock
        For the pauses between restarts.
    on_start
        Told of each new process.

    Attributes
    ----------
    state
        As of the last ``watch``.
    deaths
        How often it has died.
    """

    def __init__(
        self, plan: ServicePlan, clock: Clock, on_start: Callable[[str, ChildProcess], None]
    ) -> None:
        self.plan = plan
        self.state = ServiceState(pid=None, state="stopped")
        self.deaths = 0
        self._clock = clock
        self._on_start = on_start
        self._child: ChildProcess | None = None
        self._started_ns = 0
        self._was_ready = False
        self._deaths_in_a_row = 0
        self._start_again_ns = 0

    def start(self) -> None:
        """Start the process; see ``ChildProcess`` for the thread to use."""
        module = f"meltwatch_{self.plan.name}"
        argv = [sys.executable, "-m", module]
        self._child = ChildProcess(Command(argv, self.plan.environment, self.plan.log, mark=module))
        self._on_start(self.plan.name, self._child)
        self._started_ns = self._clock.monotonic_ns()
        self._was_ready = False
        self.state = ServiceState(pid=self._child.pid, state="starting")

    def watch(self) -> None:
        """Look at the process once: note a death, start it again when its pause is over."""
        if self._child is None or self.state.state == "stopped":
            return
        if self.state.state == "down":
            if self._clock.monotonic_ns() >= self._start_again_ns:
                self.start()
            return
        exit_code = self._child.exit_code()
        if exit_code is None:
            self._note_readiness(self._child.pid)
        elif exit_code == 0 and self.plan.may_finish:
            self.state = ServiceState(pid=None, state="stopped", detail="finished")
        else:
            self._note_death(self._child, exit_code)

    def _note_readiness(self, pid: int) -> None:
        problem = readiness_problem(self.plan.health_address)
        self._was_ready = self._was_ready or problem is None
        worse = "degraded" if self._was_ready else "starting"
        self.state = ServiceState(
            pid=pid, state=worse if problem else "ready", detail=problem or ""
        )

    def _note_death(self, child: ChildProcess, exit_code: int) -> None:
        child.kill()
        now_ns = self._clock.monotonic_ns()
        lived_s = (now_ns - self._started_ns) / _SECOND_NS
        self.deaths += 1
        self._deaths_in_a_row = deaths_after(self._deaths_in_a_row, lived_s)
        pause_s = delay_s(self._deaths_in_a_row)
        self._start_again_ns = now_ns + int(pause_s * _SECOND_NS)
        since = datetime.fromtimestamp(self._clock.now_ns() / _SECOND_NS, UTC)
        self.state = ServiceState(
            pid=None,
            state="down",
            detail=f"down since {since:%H:%M:%S} UTC, death {self.deaths}, {_ended(exit_code)}: "
            f"{child.last_words()}",
        )

    def terminate(self) -> None:
        """Ask the process to end, without waiting."""
        if self._child is not None:
            self._child.terminate()

    def stop(self, grace_s: float) -> None:
        """End the process, by force after the grace period, and do not start it again."""
        if self._child is not None:
            self._child.stop(grace_s)
        self.state = ServiceState(pid=None, state="stopped")


def _ended(exit_code: int) -> str:
    if exit_code < 0:
        return f"ended by signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"exit code {exit_code}"
