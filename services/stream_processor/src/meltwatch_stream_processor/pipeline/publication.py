"""Windows under way to the scorer and to Kafka: in which order, and how much at a time.

The order is strict per furnace, and free between furnaces. What is under way is bounded, windows
by count and by bytes, and so are the records that wait in the joins; the rest stays in Kafka.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from meltwatch_chassis.clock import Clock
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement
from meltwatch_schemas.score import Modality

Judging = Callable[[AlignedWindow], Awaitable[Judgement]]
Publishing = Callable[[AlignedWindow, Judgement, "ClosingMoment"], Awaitable[None]]
Writing = Callable[[], Awaitable[None]]
Carrying = Callable[[asyncio.Task[None] | None], Coroutine[Any, Any, None]]
"""Does what is due behind what a furnace waits for already, if that is anything."""


class InFlightWindows:
    """Room for windows on their way to the scorer and to Kafka; when it is full, reading stops.

    Parameters
    ----------
    limit
        Most windows at a time.
    limit_bytes
        Most bytes of their arrays; one window alone may always pass.
    observe
        Called with the number in flight whenever it changes.
    """

    def __init__(
        self, limit: int, limit_bytes: int, observe: Callable[[int], None] = lambda _: None
    ) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._observe = observe
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.count = 0
        self.size_bytes = 0

    async def enter(self, size_bytes: int) -> None:
        """Wait for room and take it."""
        while not self._fits(size_bytes):
            self._room.clear()
            await self._room.wait()
        self._change(1, size_bytes)

    def leave(self, size_bytes: int) -> None:
        """Give room back."""
        self._change(-1, -size_bytes)
        self._room.set()

    async def until_empty(self) -> None:
        """Wait until nothing is in flight."""
        await self._empty.wait()

    def _fits(self, size_bytes: int) -> bool:
        return self.count == 0 or (
            self.count < self._limit and self.size_bytes + size_bytes <= self._limit_bytes
        )

    def _change(self, windows: int, size_bytes: int) -> None:
        self.count += windows
        self.size_bytes += size_bytes
        if self.count:
            self._empty.clear()
        else:
            self._empty.set()
        self._observe(self.count)


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


class Holding(Protocol):
    """A partition number in whose join records wait."""

    def waiting_bytes(self, modality: Modality) -> int:
        """Return what waits of a modality for the other one."""

    def hold_back(self, modality: Modality | None) -> None:
        """Keep back the topic of a modality, or none."""


def hold_back(partitions: Collection[Holding], max_bytes: int) -> None:
    """Keep back, where more than its share waits, the topic that is ahead; let the others go on.

    Parameters
    ----------
    partitions
        All of the process.
    max_bytes
        How much may wait in all of them together.
    """
    waiting = {each: {m: each.waiting_bytes(m) for m in Modality} for each in partitions}
    is_full = sum(sum(held.values()) for held in waiting.values()) > max_bytes
    for partition, held in waiting.items():
        is_over_share = sum(held.values()) * len(waiting) > max_bytes
        ahead = max(held, key=held.__getitem__)
        partition.hold_back(ahead if is_full and is_over_share else None)
