"""How many windows may be closed and not yet published: by count and by bytes."""

import asyncio
from collections.abc import Callable


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
