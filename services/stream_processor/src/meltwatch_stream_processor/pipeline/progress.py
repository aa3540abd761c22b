"""Whether work goes on: the answer of ``/healthz``, and the clock by which the join waits."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

_LOOP_LIMIT_S: Final = 15
_STALL_LIMIT_S: Final = 60
_UNANSWERED_NS: Final = 10 * NS_PER_S


class ReaderClock:
    """The clock by which the join calls a modality idle and a furnace retired.

    It stands still when Kafka has not answered for ten seconds. Nobody can tell then what was not
    written from what could not be read, and producers keep what they could not send. It never
    goes back.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered_ns = clock.monotonic_ns()
        self._stood_ns = 0

    def now_ns(self) -> int:
        """Return the time that has passed while Kafka answered, ns since anywhen."""
        return min(self._clock.monotonic_ns(), self._answered_ns + _UNANSWERED_NS) - self._stood_ns

    def note_answer(self) -> None:
        """Note that Kafka has just said how far the input goes."""
        now_ns = self._clock.monotonic_ns()
        self._stood_ns += max(now_ns - self._answered_ns - _UNANSWERED_NS, 0)
        self._answered_ns = now_ns


class Mark(NamedTuple):
    """Where a partition number stands.

    Attributes
    ----------
    state
        Anything that changes when its offsets or watermarks move.
    lag
        Its records in Kafka that were not handed on yet; None if nobody can tell just now, or
        if it could not move whatever we did.
    """

    state: object
    lag: int | None


class _Movement(NamedTuple):
    mark: Mark
    moved_ns: int


class Progress:
    """Remembers when each partition last moved.

    Written by the event loop and read by the health server's thread: values that are replaced.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat_ns = clock.monotonic_ns()
        self._movements: Mapping[int, _Movement] = {}

    def beat(self, marks: Mapping[int, Mark]) -> None:
        """Note that the event loop runs, and where each partition stands."""
        self._beat_ns = self._clock.monotonic_ns()
        self._movements = {number: self._moved(number, mark) for number, mark in marks.items()}

    def problem(self) -> str | None:
        """Return one line if the loop stands still, or a partition while it has lag."""
        if (silent_s := self._seconds_since(self._beat_ns)) > _LOOP_LIMIT_S:
            return f"expected a beat of the event loop every second, the last was {silent_s} s ago"
        stuck = [
            f"nothing moved in partition {number} for {stalled_s} s with {mark.lag} unread"
            for number, (mark, moved_ns) in self._movements.items()
            if mark.lag and (stalled_s := self._seconds_since(moved_ns)) > _STALL_LIMIT_S
        ]
        return f"expected progress, {'; '.join(stuck)}" if stuck else None

    def _moved(self, number: int, mark: Mark) -> _Movement:
        before = self._movements.get(number)
        if before is not None and before.mark.state == mark.state and mark.lag:
            return _Movement(mark, before.moved_ns)
        return _Movement(mark, self._beat_ns)

    def _seconds_since(self, moment_ns: int) -> int:
        return (self._clock.monotonic_ns() - moment_ns) // NS_PER_S
