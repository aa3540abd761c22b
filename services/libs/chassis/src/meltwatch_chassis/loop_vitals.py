"""Whether a process with one event loop and one main loop goes on: what ``/healthz`` asks."""

from typing import Final

from meltwatch_schemas.window import NS_PER_S

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import Dependencies

HUNG_NS: Final = 15 * NS_PER_S
"""Nothing ran in the process for this long. Waiting for an answer is no excuse: others can run."""
STALLED_NS: Final = 60 * NS_PER_S
"""A loop that stands still this long while its dependencies answer is stuck: restart."""


class EventLoopBeat:
    """Tells whether anything runs; read by the health server's thread.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn_ns = clock.monotonic_ns()

    def beat(self) -> None:
        """Note that the process runs at all."""
        self._turn_ns = self._clock.monotonic_ns()

    def hung(self) -> str | None:
        """Return that nothing runs, if so."""
        hung_ns = self._clock.monotonic_ns() - self._turn_ns
        if hung_ns <= HUNG_NS:
            return None
        return f"expected a beat every second, the last was {hung_ns // NS_PER_S} s ago"


class LoopVitals(EventLoopBeat):
    """Tells besides whether the main loop looks at the topics.

    Parameters
    ----------
    clock
        Monotonic time.
    dependencies
        What is known to be away.
    """

    def __init__(self, clock: Clock, dependencies: Dependencies) -> None:
        super().__init__(clock)
        self._dependencies = dependencies
        self._look_ns = clock.monotonic_ns()

    @property
    def lacking(self) -> str | None:
        """One line that says which dependency does not answer, and why; None if all do."""
        return self._dependencies.problem()

    def note_look(self) -> None:
        """Note that the main loop has looked, even if nothing was there."""
        self._look_ns = self._clock.monotonic_ns()

    def progress(self) -> str | None:
        """Return what is stuck, if anything; waiting for Kafka is not."""
        if (hung := self.hung()) is not None:
            return hung
        since_ns = max(self._look_ns, self._dependencies.well_since_ns())
        stalled_ns = self._clock.monotonic_ns() - since_ns
        if stalled_ns <= STALLED_NS:
            return None
        return f"expected a look at the topics, the last was {stalled_ns // NS_PER_S} s ago"
