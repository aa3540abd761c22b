"""When an endpoint leaves the rotation, when it is probed, and when it is back.

Pure state machines: every time is passed in, in monotonic nanoseconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

# Trouble within so many longest pauses after the last counts as the same trouble.
_QUIET_PAUSES: Final = 2


class CircuitState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """What opens a circuit, and how long it waits between probes.

    Attributes
    ----------
    failures
        So many in a row open it; a decisive one does by itself.
    first_pause_ns, longest_pause_ns
        Before the first probe; it doubles with each probe that fails, and with each new trouble
        soon after the last, up to the longest.
    """

    failures: int = 3
    first_pause_ns: int = 200 * NS_PER_MS
    longest_pause_ns: int = 3 * NS_PER_S


class Circuit:
    """A circuit breaker: closed, open, or half open while one probe is under way.

    Only a probe closes it. Calls that began before the last change say nothing about the present.

    Parameters
    ----------
    limits
        What opens it.
    now_ns
        It begins open: nobody has answered yet.

    Attributes
    ----------
    state
        Whether calls go through.
    since_ns
        When it closed, or when it ceased to be closed.
    pause_ns
        How long to wait before the next probe.
    """

    def __init__(self, limits: CircuitLimits, now_ns: int) -> None:
        self.state = CircuitState.OPEN
        self.since_ns = now_ns
        self.pause_ns = limits.first_pause_ns
        self._limits = limits
        self._failures = 0

    @property
    def is_closed(self) -> bool:
        """Whether calls go through."""
        return self.state is CircuitState.CLOSED

    def is_outdated(self, started_ns: int) -> bool:
        """Whether a call began before it last closed or ceased to be closed."""
        return started_ns < self.since_ns

    def answered(self, started_ns: int) -> None:
        """Take note of an answer to a call begun at a time."""
        if self._counts(started_ns):
            self._failures = 0

    def failed(self, started_ns: int, now_ns: int, *, decisive: bool) -> bool:
        """Take note of a failed call; return whether it opened the circuit.

        Parameters
        ----------
        started_ns, now_ns
            When the call began, and now.
        decisive
            Whether it leaves no doubt, such as a refused connection.
        """
        if not self._counts(started_ns):
            return False
        self._failures += 1
        if not decisive and self._failures < self._limits.failures:
            return False
        self.open(now_ns)
        return True

    def open(self, now_ns: int) -> None:
        """Let no more calls through; without effect unless it is closed."""
        if not self.is_closed:
            return
        if now_ns - self.since_ns >= _QUIET_PAUSES * self._limits.longest_pause_ns:
            self.pause_ns = self._limits.first_pause_ns
        else:
            self._lengthen_pause()
        self.state = CircuitState.OPEN
        self.since_ns = now_ns

    def begin_probe(self) -> bool:
        """Return whether a probe may begin: never beside another one, never while closed."""
        if self.state is not CircuitState.OPEN:
            return False
        self.state = CircuitState.HALF_OPEN
        return True

    def probe_failed(self) -> None:
        """Wait twice as long for the next probe."""
        if self.state is CircuitState.HALF_OPEN:
            self.state = CircuitState.OPEN
            self._lengthen_pause()

    def close(self, now_ns: int) -> None:
        """Let calls through again."""
        self.state = CircuitState.CLOSED
        self.since_ns = now_ns
        self._failures = 0

    def _lengthen_pause(self) -> None:
        self.pause_ns = min(2 * self.pause_ns, self._limits.longest_pause_ns)

    def _counts(self, started_ns: int) -> bool:
        return self.is_closed and not self.is_outdated(started_ns)


class Remedy:
    """When a cure may be tried: at once, then ever more rarely, at once again after a quiet time.

    Parameters
    ----------
    first_pause_ns, longest_pause_ns
        After the first try; it doubles with each try, up to the longest.
    """

    def __init__(
        self, first_pause_ns: int = NS_PER_S, longest_pause_ns: int = 60 * NS_PER_S
    ) -> None:
        self._first_pause_ns = first_pause_ns
        self._longest_pause_ns = longest_pause_ns
        self._pause_ns = first_pause_ns
        self._tried_ns: int | None = None

    def is_due(self, now_ns: int) -> bool:
        """Tell whether it may be tried."""
        return self._tried_ns is None or now_ns - self._tried_ns >= self._pause_ns

    def tried(self, now_ns: int) -> None:
        """Take note of a try."""
        quiet_ns = _QUIET_PAUSES * self._longest_pause_ns
        if self._tried_ns is None or now_ns - self._tried_ns > quiet_ns:
            self._pause_ns = self._first_pause_ns
        else:
            self._pause_ns = min(2 * self._pause_ns, self._longest_pause_ns)
        self._tried_ns = now_ns
