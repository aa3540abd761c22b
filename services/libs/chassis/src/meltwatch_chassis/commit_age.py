"""How long something to commit has been waiting: an age that grows by itself."""

from meltwatch_schemas.window import NS_PER_S
from prometheus_client import Gauge

from meltwatch_chassis.clock import Clock


class CommitAge:
    """Seconds since the last commit, or since there is something to commit; 0 while there is not.

    Parameters
    ----------
    gauge
        With the service as its only label; asks for the age whenever it is read.
    service
        Its value.
    clock
        Monotonic time.
    """

    def __init__(self, gauge: Gauge, service: str, clock: Clock) -> None:
        self._clock = clock
        self._waiting_ns: int | None = None
        gauge.labels(service).set_function(self.age_s)

    def note_waiting(self) -> None:
        """Note that there is something to commit."""
        if self._waiting_ns is None:
            self._waiting_ns = self._clock.monotonic_ns()

    def note_committed(self) -> None:
        """Note that all is committed, or that another process commits it now."""
        self._waiting_ns = None

    def age_s(self) -> float:
        """Return how long something has been waiting."""
        since_ns = self._waiting_ns
        return 0.0 if since_ns is None else (self._clock.monotonic_ns() - since_ns) / NS_PER_S
