"""How much may be under way: windows closed and not yet published, records that wait in the joins.

Both are bounded, windows by count and by bytes; the rest stays in Kafka.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from meltwatch_schemas.score import Modality


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
