"""What every browser is sent: one log of events, encoded once, read by each at its own pace.

Events are packed once, too. Each is a block of deflate that refers to nothing before it and ends on
a whole byte: whatever follows whatever, it is one gzip stream, and all browsers get the same bytes.

A browser keeps a position in the log and no queue of its own. One that does not read costs
nothing, and delays nobody. When what it lacks has left the log, it is sent the whole picture.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final, NamedTuple

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

KEPT_NS: Final = 60 * NS_PER_S
"""A browser that was away for less resumes where it was."""
MOST_BYTES: Final = 32 * 1024 * 1024
SILENCE_S: Final = 5.0
"""Something is sent at least so often: proxies close what is silent."""
GZIP_HEAD: Final = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
"""How a gzip stream of no name, time or system begins; ours has no end."""


class Sent(NamedTuple):
    """One event as browsers are sent it.

    Attributes
    ----------
    plain, packed
        The same, as it is and as a part of a gzip stream.
    """

    plain: bytes
    packed: bytes


def _sent(plain: bytes) -> Sent:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return Sent(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


COMMENT: Final = _sent(b":\n\n")


class _Event(NamedTuple):
    at_ns: int
    sent: Sent

    @property
    def size(self) -> int:
        return len(self.sent.plain) + len(self.sent.packed)


class Hub:
    """The log of events.

    Parameters
    ----------
    replica
        Name of this process in event ids: another one's are not resumed.
    clock
        Monotonic time.
    picture
        Returns the whole picture as it is now, the data of the event ``snapshot``.

    Attributes
    ----------
    browsers
        How many listen.
    """

    def __init__(self, replica: str, clock: Clock, picture: Callable[[], bytes]) -> None:
        self._replica = replica
        self._clock = clock
        self._picture = picture
        self._log: deque[_Event] = deque()
        self._first = 1
        self._bytes = 0
        self._news = asyncio.Event()
        self._snapshot: tuple[int, Sent] = (-1, COMMENT)
        self.browsers = 0

    @property
    def newest(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._first + len(self._log) - 1

    def publish(self, event: str, data: bytes) -> None:
        """Give an event to every browser.

        Parameters
        ----------
        event
            Its name.
        data
            JSON in one line.
        """
        number = self.newest + 1
        made = _Event(self._clock.monotonic_ns(), self._encoded(event, number, data))
        self._log.append(made)
        self._bytes += made.size
        self._forget_old()
        self._news.set()
        self._news = asyncio.Event()

    async def events(self, last_id: str | None = None) -> AsyncGenerator[Sent, None]:
        """Yield what one browser is to be sent, from the event after ``last_id`` on.

        Without it, or if it is none of this replica's last minute, a snapshot comes first.
        """
        position = self._position(last_id)
        self.browsers += 1
        try:
            while True:
                if position is None or position < self._first:
                    position = self.newest + 1
                    yield self._whole()
                while position <= self.newest and position >= self._first:
                    yield self._log[position - self._first].sent
                    position += 1
                if position > self.newest and not await self._come():
                    yield COMMENT
        finally:
            self.browsers -= 1

    async def _come(self) -> bool:
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _position(self, last_id: str | None) -> int | None:
        replica, _, number = (last_id or "").rpartition(".")
        if replica != self._replica or not (number.isascii() and number.isdecimal()):
            return None
        position = int(number[:18]) + 1
        return position if self._first <= position <= self.newest + 1 else None

    def _whole(self) -> Sent:
        """Return the snapshot as of the newest event; made once for all who ask meanwhile."""
        if self._snapshot[0] != self.newest:
            made = self._encoded("snapshot", self.newest, self._picture())
            self._snapshot = (self.newest, made)
        return self._snapshot[1]

    def _encoded(self, event: str, number: int, data: bytes) -> Sent:
        head = f"id: {self._replica}.{number}\nevent: {event}\ndata: ".encode()
        return _sent(b"".join((head, data, b"\n\n")))

    def _forget_old(self) -> None:
        oldest_ns = self._clock.monotonic_ns() - KEPT_NS
        while self._log and (self._log[0].at_ns < oldest_ns or self._bytes > MOST_BYTES):
            self._bytes -= self._log.popleft().size
            self._first += 1
