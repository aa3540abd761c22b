"""What the health page shows: progress of both loops, and whether their dependencies answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.commit_age import CommitAge
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.loop_vitals import STALLED_NS, EventLoopBeat
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.outgoing import SERVICE
from meltwatch_schemas.window import NS_PER_S

MANAGER: Final = "manager"
PROJECTOR: Final = "projector"
SILENT_NS: Final = 10 * NS_PER_S
"""A loop that waits this long for an answer is not ready."""


class ManagerVitals(EventLoopBeat):
    """Signs of life of the two loops; read by the health server's thread.

    Parameters
    ----------
    clock
        Monotonic time.
    dependencies
        What is known to be away.
    metrics
        Who leads, how long commits wait, and how old the view in Redis is.

    Attributes
    ----------
    commits
        Told when there is something to commit, and when it is done.
    """

    def __init__(self, clock: Clock, dependencies: Dependencies, metrics: Metrics) -> None:
        super().__init__(clock)
        self._dependencies = dependencies
        self._leader = metrics.leader
        self.commits = CommitAge(metrics.commit_age, SERVICE, clock)
        self._beats = dict.fromkeys((MANAGER, PROJECTOR), clock.monotonic_ns())
        self._shown_ns = clock.monotonic_ns()
        metrics.view_age.set_function(self._view_age_s)
        self._have_worked: set[str] = set()
        self._problems: dict[str, str | None] = {
            MANAGER: "not yet connected to Kafka",
            PROJECTOR: "not yet connected to Redis",
        }

    def note_progress(self, loop: str) -> None:
        """Note that a loop has run once more, even without a result."""
        self._beats[loop] = self._clock.monotonic_ns()

    def note_working(self, loop: str) -> None:
        """Note that a loop works: the manager leads or stands by, the projector is up to date."""
        self._have_worked.add(loop)
        self._problems[loop] = None
        self.note_progress(loop)
        if loop == PROJECTOR:
            self._shown_ns = self._clock.monotonic_ns()

    def has_ever_worked(self, loop: str) -> bool:
        """Tell whether a loop has ever worked."""
        return loop in self._have_worked

    def is_working(self, loop: str) -> bool:
        """Tell whether a loop worked when it last reported."""
        return self._problems[loop] is None

    def note_problem(self, loop: str, problem: str) -> None:
        """Note why a loop cannot work."""
        self._problems[loop] = problem
        self.note_progress(loop)

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Note that this is the active manager, for as long as it is."""
        self._leader.set(1)
        try:
            yield
        finally:
            self._leader.set(0)
            self.commits.note_committed()

    def progress(self) -> str | None:
        """Return what is stuck, if anything; a loop that waits for a missing dependency is not."""
        if (hung := self.hung()) is not None:
            return hung
        well_ns = self._dependencies.well_since_ns()
        return "; ".join(self._silent_for(STALLED_NS, since_ns=well_ns)) or None

    def readiness(self) -> str | None:
        """Return what does not work, if anything; a standby is ready."""
        if away := self._dependencies.problem():
            return away
        problems = [f"{loop}: {problem}" for loop, problem in self._problems.items() if problem]
        return "; ".join(problems or self._silent_for(SILENT_NS)) or None

    def _view_age_s(self) -> float:
        return (self._clock.monotonic_ns() - self._shown_ns) / NS_PER_S

    def _silent_for(self, limit_ns: int, since_ns: int = 0) -> list[str]:
        now_ns = self._clock.monotonic_ns()
        ages_ns = {loop: now_ns - max(beat, since_ns) for loop, beat in self._beats.items()}
        return [
            f"{loop}: no answer for {age_ns // NS_PER_S} s"
            for loop, age_ns in ages_ns.items()
            if age_ns > limit_ns
        ]
