"""Up to which instant the manager has read everything: only up to there can it report silence."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import TransientError
from meltwatch_core.alarms.ports import Place
from meltwatch_schemas.window import NS_PER_S

from meltwatch_alarm_manager.ports import Intake

INTERVAL_NS: Final = NS_PER_S


class ReadingProof:
    """Asks the broker where the scores end, and waits until reading has passed that point.

    A poll that returns nothing proves nothing: a frozen broker gives the same answer as a silent
    plant. The question goes on beside the reading, because a partition without a leader answers
    late or never, and the others are to be judged meanwhile.

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
        self._asking: asyncio.Task[Mapping[Place, int]] | None = None
        self._asked_ns = 0
        self._ends: Mapping[Place, int] | None = None
        self._next_ns = clock.monotonic_ns()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def is_due(self) -> bool:
        """Tell whether a second has passed since the last time."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + INTERVAL_NS
        return True

    async def read_until(self) -> int | None:
        """Return an instant before which nothing was written that is not read; None if unknown.

        Call it when everything that was read has been handled.
        """
        if self._asking is not None and self._asking.done():
            self._ends, self._asking = _answer(self._asking), None
        proven = None
        if self._ends is not None and await self._intake.has_read(self._ends):
            proven, self._ends = self._asked_ns, None
        if self._ends is None and self._asking is None:
            # Before asking: records written meanwhile count for the next proof.
            self._asked_ns = self._clock.now_ns()
            self._asking = asyncio.create_task(self._intake.ends())
        return proven


def _answer(asking: "asyncio.Task[Mapping[Place, int]]") -> Mapping[Place, int] | None:
    try:
        return asking.result()
    except TransientError:
        return None
