"""What the health page shows: progress of both loops, and whether their dependencies answer."""

from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

MANAGER: Final = "manager"
PROJECTOR: Final = "projector"
SILENT_NS: Final = 10 * NS_PER_S
"""A loop that waits so long for an answer is not ready, though it may yet get one."""
STALLED_NS: Final = 60 * NS_PER_S
"""A loop that stands so long is stuck: a supervisor should start the process anew."""


class Vitals:
    """Signs of life; read by the health server's thread.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        now_ns = clock.monotonic_ns()
        self._beats = {MANAGER: now_ns, PROJECTOR: now_ns}
        self._problems: dict[str, str | None] = {
            MANAGER: "not yet connected to Kafka",
            PROJECTOR: "not yet connected to Redis",
        }

    def got_on(self, loop: str) -> None:
        """Note that a loop has gone round once more, be it in vain."""
        self._beats[loop] = self._clock.monotonic_ns()

    def is_well(self, loop: str) -> None:
        """Note that a loop does what it is for."""
        self._problems[loop] = None
        self.got_on(loop)

    def is_unwell(self, loop: str, problem: str) -> None:
        """Note why a loop cannot do what it is for."""
        self._problems[loop] = problem
        self.got_on(loop)

    def progress(self) -> str | None:
        """Return which loop is stuck, if any."""
        return "; ".join(self._silent_for(STALLED_NS)) or None

    def readiness(self) -> str | None:
        """Return what is not in order, if anything; a standby is in order."""
        problems = [f"{loop}: {problem}" for loop, problem in self._problems.items() if problem]
        return "; ".join(problems or self._silent_for(SILENT_NS)) or None

    def _silent_for(self, limit_ns: int) -> list[str]:
        now_ns = self._clock.monotonic_ns()
        ages_ns = {loop: now_ns - beat_ns for loop, beat_ns in self._beats.items()}
        return [
            f"{loop}: no answer for {age_ns // NS_PER_S} s"
            for loop, age_ns in ages_ns.items()
            if age_ns > limit_ns
        ]
