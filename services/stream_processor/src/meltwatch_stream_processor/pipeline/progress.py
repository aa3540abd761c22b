"""Whether work gets on: the answer of ``/healthz``, judged by movement and never by liveness."""

from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

_LOOP_LIMIT_S: Final = 15
_STALL_LIMIT_S: Final = 60


class Progress:
    """Remembers when something last moved.

    Written by the event loop and read by the health server's thread: single values alone.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat_ns = self._moved_ns = clock.monotonic_ns()
        self._state: object = None
        self._lag = 0

    def beat(self, state: object, lag: int | None) -> None:
        """Take note that the event loop runs.

        Parameters
        ----------
        state
            Anything that changes when offsets or watermarks move.
        lag
            Records in Kafka that were not handed on yet; None if nobody can tell just now.
        """
        self._beat_ns = self._clock.monotonic_ns()
        if state != self._state or not lag:
            self._state, self._moved_ns = state, self._beat_ns
        self._lag = lag or 0

    def problem(self) -> str | None:
        """Return one line if the loop stands still, or nothing moved while there was lag."""
        if (silent_s := self._seconds_since(self._beat_ns)) > _LOOP_LIMIT_S:
            return f"expected a beat of the event loop every second, the last was {silent_s} s ago"
        if self._lag and (stalled_s := self._seconds_since(self._moved_ns)) > _STALL_LIMIT_S:
            return f"expected progress, nothing moved for {stalled_s} s with {self._lag} unread"
        return None

    def _seconds_since(self, moment_ns: int) -> int:
        return (self._clock.monotonic_ns() - moment_ns) // NS_PER_S
