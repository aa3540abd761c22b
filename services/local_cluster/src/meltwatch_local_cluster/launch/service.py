"""Services as child processes: started, watched, started again when they die; groups of them."""

import http.client
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.run_state import ServiceState

from meltwatch_local_cluster.launch.plans import ServicePlan
from meltwatch_local_cluster.servers.child import ChildCommand, ChildProcess

_SECOND_NS = 1_000_000_000
_READINESS_TIMEOUT_S = 2.0
# How long a dead service stays down before it is started again.
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
_POLL_S = 0.2
_READY_WITHIN_S = 60.0
_GRACE_S = 15.0


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
        self._child = ChildProcess(
            ChildCommand(argv, self.plan.environment, self.plan.log, mark=module)
        )
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


def readiness_problem(address: str) -> str | None:
    """Ask a service whether its dependencies answer.

    Parameters
    ----------
    address
        Of its health server, ``host:port``.

    Returns
    -------
    None when it is ready, else one line that says what is not.
    """
    connection = http.client.HTTPConnection(address, timeout=_READINESS_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(1_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return f"no answer from http://{address}/readyz"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else " ".join(text.split())


def delay_s(deaths_in_a_row: int) -> float:
    """Give the pause before the next start: doubled by each death, up to half a minute.

    Parameters
    ----------
    deaths_in_a_row
        How often the service has died without a steady minute between, at least 1.

    Returns
    -------
    Seconds, 0.5 to 30.
    """
    doublings = min(deaths_in_a_row - 1, 16)
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**doublings)


def deaths_after(deaths_in_a_row: int, lived_s: float) -> int:
    """Count a death.

    Parameters
    ----------
    deaths_in_a_row
        Deaths before this one.
    lived_s
        How long the process ran, seconds; a steady minute makes this death the first of a row.

    Returns
    -------
    The count with this death, at least 1.
    """
    return 1 if lived_s >= STEADY_S else deaths_in_a_row + 1


class Supervisor:
    """A group of services that start and stop together.

    Parameters
    ----------
    services
        Not started yet.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services

    @property
    def states(self) -> dict[str, ServiceState]:
        """What each service was found to be at the last look, and where its pages are."""
        return {
            service.plan.name: service.state.model_copy(
                update={"health": service.plan.health_address}
            )
            for service in self._services
        }

    @property
    def health_addresses(self) -> dict[str, str]:
        """Where each service serves its health and metrics, ``host:port``."""
        return {service.plan.name: service.plan.health_address for service in self._services}

    def start(self) -> None:
        """Start all, without waiting."""
        for service in self._services:
            service.start()

    def watch(self) -> None:
        """Look at each service once, and start again what died."""
        for service in self._services:
            service.watch()

    def wait_ready(self, on_look: Callable[[], object]) -> None:
        """Wait until all are ready; a service that dies now would only die again.

        Parameters
        ----------
        on_look
            Called after each look.

        Raises
        ------
        FatalError
            If a service dies, or is not ready within a minute.
        """
        end_s = time.monotonic() + _READY_WITHIN_S
        while True:
            self.watch()
            on_look()
            waiting = [service for service in self._services if service.state.state != "ready"]
            if not waiting:
                return
            for service in waiting:
                if service.deaths or time.monotonic() > end_s:
                    raise FatalError(
                        f"{service.plan.name}: expected it to become ready, "
                        f"{service.state.detail or service.state.state} (log: {service.plan.log})"
                    )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End all at once, by force after a grace period."""
        for service in self._services:
            service.terminate()
        for service in self._services:
            service.stop(_GRACE_S)

    def problems(self) -> list[str]:
        """Say which services died, one line each."""
        return [
            f"{service.plan.name}: expected it to live, it died {service.deaths} "
            f"time{'s' if service.deaths > 1 else ''} (log: {service.plan.log})"
            for service in self._services
            if service.deaths
        ]
