"""Feeds of live sources: what they gave, until it is sent."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic

from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_sources.supervisor import LiveSource

from meltwatch_producers.publication import AnyChunk, Feed

_LOOK_NS: Final = 100 * NS_PER_MS
_MOST: Final = 1000
"""Chunks that may wait: of a camera twelve minutes and 24 MiB."""


class LiveFeed(Generic[AnyChunk]):
    """What one live source gave, as a ``Feed``. A source does not wait: the oldest go first.

    Parameters
    ----------
    identity
        Furnace, source, boot and the number of the next frame or sample.
    live
        The source's state; it is told that time passes.
    dropped
        Called with how many chunks had no room.
    """

    def __init__(
        self, identity: ChunkIdentity, live: LiveSource, dropped: Callable[[int], None]
    ) -> None:
        self._identity = identity
        self._live = live
        self._dropped = dropped
        self._lock = threading.Lock()
        self._waiting: deque[AnyChunk] = deque()

    @property
    def identity(self) -> ChunkIdentity:
        """Who gives, for chunks that are being made; sending numbers them."""
        return self._identity

    def put(self, chunk: AnyChunk) -> None:
        """Take a chunk from the source's own thread."""
        with self._lock:
            self._waiting.append(chunk)
            surplus = len(self._waiting) - _MOST
            for _ in range(surplus):
                self._waiting.popleft()
        if surplus > 0:
            self._dropped(surplus)

    def due(self, after_ns: int, until_ns: int) -> Sequence[AnyChunk]:  # noqa: ARG002 - all is due
        """Return everything that waits: what a live source gives has happened."""
        self._live.looked()
        with self._lock:
            chunks = list(self._waiting)
            self._waiting.clear()
        return [self._numbered(chunk) for chunk in chunks]

    def next_due_ns(self, after_ns: int) -> int:
        """Return when to look again, ns."""
        return after_ns + _LOOK_NS

    def _numbered(self, chunk: AnyChunk) -> AnyChunk:
        identity = replace(self._identity, sync=chunk.identity.sync)
        count = len(chunk.event_times_ns)
        self._identity = replace(self._identity, seq=self._identity.seq + count)
        return replace(chunk, identity=identity)


@dataclass(frozen=True, slots=True)
class Supply(Generic[AnyChunk]):
    """What a producer publishes.

    Attributes
    ----------
    source
        What it is, for the log.
    feeds
        One a furnace.
    sources
        Of live sources: asked by health.
    """

    source: str
    feeds: Sequence[Feed[AnyChunk]]
    sources: Sequence[LiveSource] = field(default=())

    def progress(self) -> str | None:
        """Return one line of the first source whose thread or task is stuck, else None."""
        return next(filter(None, (live.progress() for live in self.sources)), None)

    def readiness(self) -> str | None:
        """Return one line of the first source that had no state yet, else None."""
        return next(filter(None, (live.readiness() for live in self.sources)), None)

    def warning(self) -> str | None:
        """Return a line of the sources that are away, else None."""
        return "; ".join(filter(None, (live.warning() for live in self.sources))) or None
