"""The order of publication: strict per furnace, free between furnaces."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from meltwatch_chassis.clock import Clock
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement

from meltwatch_stream_processor.pipeline.in_flight import InFlightWindows

Judging = Callable[[AlignedWindow], Awaitable[Judgement]]
Publishing = Callable[[AlignedWindow, Judgement, "ClosingMoment"], Awaitable[None]]
Writing = Callable[[], Awaitable[None]]
Carrying = Callable[[asyncio.Task[None] | None], Coroutine[Any, Any, None]]
"""Does what is due behind what a furnace waits for already, if that is anything."""


@dataclass(frozen=True, slots=True)
class ClosingMoment:
    """When a window closed, and in which trace.

    Attributes
    ----------
    joined_ns
        Wall time at which it closed.
    traceparent
        W3C context that goes on from the record that closed it, if that had one.
    """

    joined_ns: int
    traceparent: str | None = None


class Publication:
    """Judges windows side by side and publishes those of one furnace one after the other.

    Parameters
    ----------
    group
        Owner of the tasks, one per window in flight.
    in_flight
        Bound on the windows of all partitions together, and on what follows them.
    judge
        Scores a window.
    publish
        Publishes a window with its judgement and closing.
    clock
        Stamps that time.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        in_flight: InFlightWindows,
        judge: Judging,
        publish: Publishing,
        clock: Clock,
    ) -> None:
        self._group = group
        self._in_flight = in_flight
        self._judge = judge
        self._publish = publish
        self._clock = clock
        self._newest: dict[str, asyncio.Task[None]] = {}

    async def submit(self, window: AlignedWindow, traceparent: str | None = None) -> None:
        """Take the next window of a furnace; waits while too many are in flight."""
        closing = ClosingMoment(self._clock.now_ns(), traceparent)

        async def carry(previous: asyncio.Task[None] | None) -> None:
            judgement = await self._judge(window)
            if previous is not None:
                await previous
            await self._publish(window, judgement, closing)

        await self._append(window.furnace_id, window.size_bytes, carry)

    async def follow(self, furnace_id: str, size_bytes: int, write: Writing) -> None:
        """Write what is true once the windows of a furnace that closed so far are published.

        Until then a crash may have them closed anew, by other records.
        """

        async def carry(previous: asyncio.Task[None] | None) -> None:
            if previous is not None:
                await previous
            await write()

        await self._append(furnace_id, size_bytes, carry)

    async def _append(self, furnace_id: str, size_bytes: int, carry: Carrying) -> None:
        await self._in_flight.enter(size_bytes)
        task = self._group.create_task(carry(self._newest.get(furnace_id)))
        self._newest[furnace_id] = task
        task.add_done_callback(lambda done: self._finished(furnace_id, size_bytes, done))

    def _finished(self, furnace_id: str, size_bytes: int, done: asyncio.Task[None]) -> None:
        # A callback, because a task that is cancelled before its first step runs no "finally".
        self._in_flight.leave(size_bytes)
        if self._newest.get(furnace_id) is done:
            del self._newest[furnace_id]
