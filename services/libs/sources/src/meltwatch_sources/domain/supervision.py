"""The states of a live source: connecting, running, silent, waiting, and again."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from meltwatch_schemas.window import NS_PER_S

FIRST_WAIT_NS: Final = NS_PER_S // 2
LONGEST_WAIT_NS: Final = 10 * NS_PER_S
REFUSED_WAIT_NS: Final = 60 * NS_PER_S
"""After a refused login: cameras lock accounts."""
STEADY_NS: Final = 30 * NS_PER_S
"""A source that ran for so long begins anew with the shortest wait."""
STUCK_NS: Final = 30 * NS_PER_S


class LiveState(IntEnum):
    """State of a source; the number is the value of ``meltwatch_source_state``."""

    RUNNING = 0
    SILENT = 1
    WAITING = 2
    MISCONFIGURED = 3
    CONNECTING = 4
    """For the first time: after a loss a source waits, attempts included, until something comes."""


class Loss(Enum):
    """Kinds of loss."""

    LOST = "lost"
    ENDED = "ended"
    REFUSED = "refused"


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next attempt: 0.5 s, doubling to 10 s, with jitter."""

    _next_ns: int = FIRST_WAIT_NS

    def wait_ns(self, chance: float) -> int:
        """Return how long to wait, ns, and double the next.

        Parameters
        ----------
        chance
            Within [0, 1): the wait lies within its upper half, so that sources do not come at once.
        """
        longest_ns = self._next_ns
        self._next_ns = min(2 * longest_ns, LONGEST_WAIT_NS)
        return int(longest_ns * (1 + chance) / 2)

    def reset(self) -> None:
        """Begin anew with the shortest wait."""
        self._next_ns = FIRST_WAIT_NS


@dataclass(frozen=True, slots=True)
class StateChange:
    """A source went from one state to another: one line of the log.

    Attributes
    ----------
    before, after
        The states.
    why
        What was said of it, empty if nothing.
    """

    before: LiveState
    after: LiveState
    why: str = ""


@dataclass(slots=True)
class Supervision:
    """The state machine of one source. All times are monotonic, ns.

    Each method returns the change to tell, or None. Threads and tasks drive it alike: ``opening``,
    ``delivered`` with each frame or reading, ``looked`` now and then, ``lost`` at the end, and
    after ``wait_ns`` again ``opening``. Attempts in vain are no change: a source that waits goes
    on waiting until something comes.

    Attributes
    ----------
    silent_after_ns
        A source that delivers nothing for so long is silent.
    state
        The present one.
    since_ns
        When it began.
    reconnects
        How often it was opened again.
    wait_ns
        After a loss: how long until the next attempt.
    """

    silent_after_ns: int
    state: LiveState = LiveState.CONNECTING
    since_ns: int = 0
    reconnects: int = 0
    wait_ns: int = 0
    _backoff: Backoff = field(default_factory=Backoff)
    _was_open: bool = False
    _newest_ns: int = 0
    _runs_since_ns: int | None = None

    def opening(self, now_ns: int) -> StateChange | None:
        """Say that the source is being opened."""
        self.reconnects += self._was_open
        self._was_open = True
        self._runs_since_ns = None
        if self.state is LiveState.WAITING:
            return None
        return self._become(LiveState.CONNECTING, now_ns)

    def delivered(self, now_ns: int) -> StateChange | None:
        """Say that something came."""
        self._newest_ns = now_ns
        if self._runs_since_ns is None:
            self._runs_since_ns = now_ns
        if now_ns - self._runs_since_ns >= STEADY_NS:
            self._backoff.reset()
        if self.state is LiveState.MISCONFIGURED:
            return None
        return self._become(LiveState.RUNNING, now_ns)

    def useless(self, why: str, now_ns: int) -> StateChange | None:
        """Say that something came that holds no value: the source is there, and still silent."""
        is_patient = now_ns - self._newest_ns < self.silent_after_ns
        if self.state is LiveState.RUNNING and is_patient:
            return None
        return self._become(LiveState.SILENT, now_ns, why)

    def looked(self, now_ns: int) -> StateChange | None:
        """Say that time has passed."""
        silent_ns = now_ns - self._newest_ns
        if self.state is LiveState.RUNNING and silent_ns >= self.silent_after_ns:
            self._runs_since_ns = None
            why = f"nothing came for {silent_ns / NS_PER_S:.1f} s"
            return self._become(LiveState.SILENT, now_ns, why)
        return None

    def lost(self, loss: Loss, why: str, now_ns: int, chance: float) -> StateChange | None:
        """Say that the source is lost, and settle how long to wait."""
        self.wait_ns = self._backoff.wait_ns(chance)
        if loss is Loss.REFUSED:
            self.wait_ns = max(self.wait_ns, REFUSED_WAIT_NS)
        return self._become(LiveState.WAITING, now_ns, why)

    def misconfigured(self, why: str, now_ns: int) -> StateChange | None:
        """Say that what it is told is wrong; what comes is not used until it is opened anew."""
        return self._become(LiveState.MISCONFIGURED, now_ns, why)

    def _become(self, state: LiveState, now_ns: int, why: str = "") -> StateChange | None:
        before, self.state = self.state, state
        if state is before:
            return None
        self.since_ns = now_ns
        return StateChange(before, state, why)
