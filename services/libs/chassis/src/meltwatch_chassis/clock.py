"""The only place that reads the wall clock.

Event time places windows; wall time only keeps things alive and stamps what was done when.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of the present moment."""

    def now_ns(self) -> int:
        """Return wall time, ns UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Return a time that never steps, ns since an arbitrary start."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return wall time, ns UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return a time that never steps, ns since an arbitrary start."""
        return time.monotonic_ns()
