"""Keeps a group of services running, and waits until all are ready."""

import time
from collections.abc import Callable, Sequence

from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.run_state import ServiceState

from meltwatch_local_cluster.launch.service import Service

_POLL_S = 0.2
_READY_WITHIN_S = 60.0
_GRACE_S = 15.0


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
        """What each service was found to be at the last look."""
        return {service.plan.name: service.state for service in self._services}

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
