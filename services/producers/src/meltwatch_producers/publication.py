"""The common loop of producers: a chunk is sent when its event time has come."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Generic, Protocol, TypeVar

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.window import NS_PER_S

from meltwatch_producers.pacing import SimulatedRun
from meltwatch_producers.wires import AnyChunk, Wire

_PIECE_NS: Final = (
    10 * NS_PER_S
)  # large enough for the simulator to work in batches, small enough for memory
_LONGEST_WAIT_S: Final = 1.0
_ROOM_WAIT_S: Final = 0.1
_STUCK_NS: Final = 30 * NS_PER_S


def unsent(furnace_id: str, source_id: str, boot_id: str) -> ChunkIdentity:
    """Return the identity of a source that has sent nothing yet; sending fills in its time."""
    return ChunkIdentity(
        furnace_id=furnace_id, source_id=source_id, boot_id=boot_id, seq=0, ingest_time_ns=0
    )


_Chunk_co = TypeVar("_Chunk_co", bound=EmbeddingChunk | CurrentChunk, covariant=True)


class Feed(Protocol[_Chunk_co]):
    """The source of one furnace."""

    def due(self, after_ns: int, until_ns: int) -> Sequence[_Chunk_co]:
        """Return the chunks that fall due within ``(after, until]`` of event time, in order.

        Their ingest time is filled in when they are sent. Sequence numbers go on from call to
        call, so each span must follow the one before it.
        """
        ...

    def next_due_ns(self, after_ns: int) -> int:
        """Return the event time, later than ``after``, at which something falls due next."""
        ...


class RecordSink(Protocol):
    """Where records go."""

    def send(self, record: OutgoingRecord) -> None:
        """Hand a record over for delivery; the publisher counts whether it was delivered."""
        ...

    def is_full(self) -> bool:
        """Tell whether so much waits for delivery that no more should be handed over."""
        ...

    def is_idle(self) -> bool:
        """Tell whether nothing waits for delivery."""
        ...


@dataclass(slots=True)
class PacedPublication(Generic[AnyChunk]):
    """Sends what falls due at all furnaces, in order of event time.

    While the publisher is full no chunk is made. Afterwards the feeds go on where they stopped, so
    an outage of the broker delays records and loses none.

    Attributes
    ----------
    feeds
        One a furnace.
    wire
        How their chunks travel.
    topic
        Full name of the wire's topic.
    publisher
        Where records go.
    clock
        Wall time, for pace and ingest time.
    """

    feeds: Sequence[Feed[AnyChunk]]
    wire: Wire[AnyChunk]
    topic: str
    publisher: RecordSink
    clock: Clock
    _alive_ns: int = field(init=False)
    _is_backfilled: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._alive_ns = self.clock.monotonic_ns()

    def publish_due(self, run: SimulatedRun, stop: threading.Event) -> None:
        """Send the back-fill, then whatever falls due, until told to stop.

        A source that has ended waits to be stopped: a supervisor would treat its exit as a crash.
        """
        live_ns = run.pace.event_time_ns(self.clock.now_ns())
        position_ns = live_ns - self.wire.backfill_ns
        while not stop.is_set():
            self._is_backfilled |= position_ns >= live_ns and self.publisher.is_idle()
            present_ns = run.pace.event_time_ns(self.clock.now_ns())
            until_ns = min(present_ns, position_ns + _PIECE_NS, run.end_ns or present_ns)
            if until_ns > position_ns:
                self._send(position_ns, until_ns, stop)
                position_ns = until_ns
            if until_ns < present_ns and until_ns != run.end_ns:
                continue  # still behind: the back-fill, or what an outage delayed
            self._wait(run, position_ns, stop)

    def readiness(self) -> str | None:
        """Return None once the back-fill is delivered, else one line.

        A stream processor that starts after that finds the past of all sources in its order.
        """
        return None if self._is_backfilled else "expected the back-fill to be delivered by now"

    def progress(self) -> str | None:
        """Return None while the loop runs, else one line; an outage does not stop it."""
        silent_ns = self.clock.monotonic_ns() - self._alive_ns
        if silent_ns > _STUCK_NS:
            return f"expected to go round every second, silent for {silent_ns // NS_PER_S} s"
        return None

    def _send(self, after_ns: int, until_ns: int, stop: threading.Event) -> None:
        due = [chunk for feed in self.feeds for chunk in feed.due(after_ns, until_ns)]
        for chunk in sorted(due, key=attrgetter("last_event_ns")):
            while self.publisher.is_full() and not stop.wait(_ROOM_WAIT_S):
                self._alive_ns = self.clock.monotonic_ns()
            if stop.is_set():
                return
            record = self.wire.outgoing(self.topic, chunk, self.clock.now_ns())
            self.publisher.send(record)
            self._alive_ns = self.clock.monotonic_ns()

    def _wait(self, run: SimulatedRun, position_ns: int, stop: threading.Event) -> None:
        wait_s = _LONGEST_WAIT_S
        if run.end_ns is None or position_ns < run.end_ns:
            next_ns = min(feed.next_due_ns(position_ns) for feed in self.feeds)
            wait_s = min(wait_s, run.pace.seconds_until(next_ns, self.clock.now_ns()))
        stop.wait(wait_s)
        self._alive_ns = self.clock.monotonic_ns()
