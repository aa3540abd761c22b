"""The self-test's own furnace: calm until told to overheat, and calm again afterwards."""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC, Grid
from meltwatch_simulator import Fault, SimulatedFurnace, furnace_ids
from meltwatch_simulator.scenario import demo_origin_ns

Chunk = EmbeddingChunk | CurrentChunk

HISTORY_NS: Final = PUBLISHED_SPEC.lookback_ns + 2 * PUBLISHED_SPEC.hop_ns
"""Past that is published at the start, so that the first live windows are whole."""
_SEED: Final = 1
_LOOKS_LIKE: Final = furnace_ids(1)[0]
_OWN_ORIGIN_NS: Final = demo_origin_ns(_SEED)
_LONGEST_NS: Final = 60 * NS_PER_S
"""A longer fault also grows more slowly, so the alarm would come later."""
_SAMPLES: Final = 2
_MESSAGES: Final = Grid(0, _SAMPLES * PUBLISHED_SPEC.sample_period_ns)


@dataclass(frozen=True, slots=True)
class _Faults:
    """A ``Schedule`` of faults that are all known."""

    faults: tuple[Fault, ...] = ()

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:  # noqa: ARG002 - as the protocol says
        return tuple(f for f in self.faults if f.start_ns < end_ns and f.end_ns > start_ns)


@dataclass(slots=True)
class SyntheticFurnace:
    """A furnace that nobody else has, and its next chunks.

    It looks like the first furnace of the demonstration, whatever its name and the hour.

    Attributes
    ----------
    furnace_id
        Unique to the run.
    boot_id
        16 hex digits.
    started_ns
        Event time of the start, ns UTC; history lies before it.
    """

    furnace_id: str
    boot_id: str
    started_ns: int
    _simulated: SimulatedFurnace = field(init=False)
    _sent_ns: int = field(init=False)
    _frames: int = field(default=0, init=False)
    _samples: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._sent_ns = self.started_ns - HISTORY_NS
        self.calm_down()

    def overheat(self, from_ns: int) -> None:
        """Begin a fault that lasts for a minute or until ``calm_down``."""
        start_ns = from_ns - self._ahead_ns
        self._become(Fault(_LOOKS_LIKE, start_ns, start_ns + _LONGEST_NS, "semi_molten", False))

    def calm_down(self) -> None:
        """Be calm from the next chunk on."""
        self._become()

    def due(self, until_ns: int) -> list[Chunk]:
        """Return the chunks since the last call, up to an event time, in order of event time."""
        after_ns, self._sent_ns = self._sent_ns, until_ns
        chunks = self._frames_between(after_ns, until_ns)
        chunks += self._samples_between(after_ns, until_ns)
        return sorted(chunks, key=attrgetter("last_event_ns"))

    @property
    def position_ns(self) -> int:
        """Event time up to which chunks were given."""
        return self._sent_ns

    @property
    def _ahead_ns(self) -> int:
        return self.started_ns - _OWN_ORIGIN_NS

    def _become(self, *faults: Fault) -> None:
        self._simulated = SimulatedFurnace(_SEED, _LOOKS_LIKE, _Faults(faults), self._ahead_ns)

    def _frames_between(self, after_ns: int, until_ns: int) -> list[Chunk]:
        # Frames older than the first live window's clip would only cost scoring calls.
        oldest_ns = self.started_ns - PUBLISHED_SPEC.clip_span_ns - PUBLISHED_SPEC.hop_ns
        instants = PUBLISHED_SPEC.frame_instants(self.furnace_id)
        times_ns = np.array(instants.between(max(after_ns, oldest_ns), until_ns), dtype=np.int64)
        encoder = default_encoder()
        embeddings = encoder.encode(self._simulated.frames(times_ns))
        numbered = enumerate(zip(times_ns, embeddings, strict=True), start=self._frames)
        self._frames += len(times_ns)
        return [
            EmbeddingChunk(
                self._identity("selftest-camera", number),
                np.array([time_ns], dtype=np.int64),
                encoder.encoder_id,
                embedding[np.newaxis],
            )
            for number, (time_ns, embedding) in numbered
        ]

    def _samples_between(self, after_ns: int, until_ns: int) -> list[Chunk]:
        period_ns = PUBLISHED_SPEC.sample_period_ns
        chunks: list[Chunk] = []
        for last_ns in _MESSAGES.between(after_ns, until_ns):
            times_ns = np.array([last_ns - period_ns, last_ns], dtype=np.int64)
            identity = self._identity("selftest-meter", self._samples)
            amperes = self._simulated.currents(times_ns)
            chunks.append(CurrentChunk(identity, int(times_ns[0]), period_ns, amperes))
            self._samples += _SAMPLES
        return chunks

    def _identity(self, source_id: str, seq: int) -> ChunkIdentity:
        return ChunkIdentity(
            furnace_id=self.furnace_id,
            source_id=source_id,
            boot_id=self.boot_id,
            seq=seq,
            ingest_time_ns=0,  # filled in when it is sent
        )
