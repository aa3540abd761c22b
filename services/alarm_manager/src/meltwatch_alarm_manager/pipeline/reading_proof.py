"""Up to which instant the manager has read everything: silence can be told only up to there."""

from collections.abc import Mapping
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

from meltwatch_alarm_manager.ports import Intake, Place

INTERVAL_NS: Final = NS_PER_S


class ReadingProof:
    """Asks the broker how far the scores go, and waits until reading has passed that.

    A poll that returns nothing proves nothing: a frozen broker gives the same answer as a silent
    plant.

    Parameters
    ----------
    intake
        What is read.
    clock
        Wall clock for the instant, monotonic time for the interval.
    """

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self._asked: tuple[int, Mapping[Place, int]] | None = None
        self._next_ns = clock.monotonic_ns()

    def is_due(self) -> bool:
        """Tell whether a second has passed since the last time."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + INTERVAL_NS
        return True

    async def read_until(self) -> int | None:
        """Return an instant before which nothing was written that is not read; None if unknown.

        To be asked once everything that was read has been handled.
        """
        known = self._asked
        if known is not None and not await self._intake.has_read(known[1]):
            return None
        # Before asking: what is written meanwhile belongs to the next time.
        at_ns = self._clock.now_ns()
        self._asked = (at_ns, await self._intake.ends())
        return None if known is None else known[0]
