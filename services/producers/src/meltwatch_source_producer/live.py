"""What live sources give goes straight on, numbered; their states are watched."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic

from meltwatch_chassis.clock import Clock
from meltwatch_producers.publication import RecordSink
from meltwatch_producers.wires import AnyChunk, Wire
from meltwatch_schemas.chunk import ChunkIdentity, Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.plant import AnySource, PlannedSource
from meltwatch_sources.supervisor import LiveSource, SourceName

_LOOK_S: Final = 0.5
_STUCK_NS: Final = 30 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Outlet(Generic[AnyChunk]):
    """Where the chunks of one kind of source go.

    Attributes
    ----------
    wire
        How they travel.
    topic
        Full name of the wire's topic.
    sink
        Takes records from any thread.
    clock
        For the ingest time.
    """

    wire: Wire[AnyChunk]
    topic: str
    sink: RecordSink
    clock: Clock

    def send(self, chunk: AnyChunk) -> None:
        """Hand a chunk over."""
        self.sink.send(self.wire.outgoing(self.topic, chunk, self.clock.now_ns()))


class LiveFeed(Generic[AnyChunk]):
    """Numbers what one source gives, and hands it over at once.

    Parameters
    ----------
    identity
        Furnace, source, boot and the number of the first frame or sample.
    outlet
        Where chunks go.
    """

    def __init__(self, identity: ChunkIdentity, outlet: Outlet[AnyChunk]) -> None:
        self.identity = identity
        self._outlet = outlet

    def put(self, chunk: AnyChunk) -> None:
        """Send a chunk whose number is still missing; the source's own thread alone calls this."""
        seq = self.identity.seq
        self._outlet.send(replace(chunk, identity=replace(chunk.identity, seq=seq)))
        self.identity = replace(self.identity, seq=seq + len(chunk.event_times_ns))


def name_of(planned: PlannedSource[AnySource], modality: Modality) -> SourceName:
    """Return what logs and metrics call a planned source; one that is wrong has no address."""
    source = planned.source
    if source is None:
        return SourceName(planned.furnace_id, modality, "", "")
    return SourceName(
        planned.furnace_id, modality, source.source_id, source.address, source.credentials
    )


@dataclass(slots=True)
class SourcesHealth:
    """Lets sources know that time passes, and says what is the matter with them.

    Attributes
    ----------
    sources
        All of the process.
    clock
        Monotonic time.
    """

    sources: Sequence[LiveSource]
    clock: Clock
    _alive_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self._alive_ns = self.clock.monotonic_ns()

    def watch_sources(self, stop: threading.Event) -> None:
        """Look at each of them twice a second until told to stop."""
        while not stop.wait(_LOOK_S):
            self._alive_ns = self.clock.monotonic_ns()
            for live in self.sources:
                live.looked()

    def progress(self) -> str | None:
        """Return None while this loop and every source's thread or task go round, else one line."""
        silent_ns = self.clock.monotonic_ns() - self._alive_ns
        if silent_ns > _STUCK_NS:
            return f"expected a look at the sources by now, none for {silent_ns // NS_PER_S} s"
        return next(filter(None, (live.progress() for live in self.sources)), None)

    def readiness(self) -> str | None:
        """Return one line of the first source that has had no state yet, else None."""
        return next(filter(None, (live.readiness() for live in self.sources)), None)

    def warning(self) -> str | None:
        """Return a line of the sources from which nothing comes, else None."""
        return "; ".join(filter(None, (live.warning() for live in self.sources))) or None
