"""Put a producer together: a feed for each furnace, simulated or recorded."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.lifecycle import run_sync
from meltwatch_chassis.pacing import SimulatedRun
from meltwatch_chassis.producer import produce
from meltwatch_chassis.publishing import AnyChunk, Feed, Wire, unsent
from meltwatch_chassis.settings import ProducerSettings
from meltwatch_fmf_benchmark import FormatError, Playback, Recording, open_recordings, play
from meltwatch_schemas import current, embedding
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, SimulatedFurnace, furnace_ids

from meltwatch_producers.feeds import CameraFeed, MeterFeed


@dataclass(frozen=True, slots=True)
class Producer(Generic[AnyChunk]):
    """What tells one producer from another.

    Attributes
    ----------
    service
        Name in logs, metrics and errors.
    source_id
        Its source at each furnace.
    wire
        How its chunks travel.
    simulated
        Makes the feed of a simulated furnace.
    recorded
        Makes the feed of a recorded one, which has gaps.
    """

    service: str
    source_id: str
    wire: Wire[AnyChunk]
    simulated: Callable[[ChunkIdentity, SimulatedFurnace], Feed[AnyChunk]]
    recorded: Callable[[ChunkIdentity, Playback], Feed[AnyChunk]]

    def main(self) -> int:
        """Publish until SIGTERM or SIGINT and return the exit code."""
        return run_sync(self.service, ProducerSettings, self.run)

    def run(self, settings: ProducerSettings, stop: threading.Event) -> None:
        """Publish what all simulated or recorded furnaces show until told to stop.

        Raises
        ------
        ConfigurationError
            If recordings are not of their form.
        """
        wire = replace(self.wire, traced=settings.tracing)
        publish = partial(produce, self.service, settings, wire)
        if settings.recording_dir is None:
            publish(partial(self._simulated_feeds, settings), stop)
            return
        try:
            with open_recordings(settings.recording_dir) as recordings:
                publish(partial(self._recorded_feeds, recordings), stop)
        except FormatError as error:
            raise ConfigurationError(f"MELTWATCH_RECORDING_DIR: {error}") from error

    def _simulated_feeds(
        self, settings: ProducerSettings, run: SimulatedRun
    ) -> list[Feed[AnyChunk]]:
        names = furnace_ids(settings.simulator_furnaces)
        scenario = Scenario(
            settings.simulator_seed, names, run.origin_ns, settings.simulator_duration_s
        )
        boot_id = secrets.token_hex(8)
        return [
            self.simulated(unsent(name, self.source_id, boot_id), scenario.furnace(name))
            for name in names
        ]

    def _recorded_feeds(
        self, recordings: Sequence[Recording], run: SimulatedRun
    ) -> list[Feed[AnyChunk]]:
        boot_id = secrets.token_hex(8)
        return [
            self.recorded(unsent(furnace.furnace_id, self.source_id, boot_id), furnace)
            for furnace in play(recordings, run.origin_ns)
        ]


VIDEO: Final = Producer(
    "video_producer",
    "camera-1",
    # No more than the clip of the first live window: older frames would only cost scoring calls.
    Wire(
        Topic.EMBEDDINGS,
        embedding.SCHEMA,
        embedding.encode_embedding,
        PUBLISHED_SPEC.clip_span_ns + PUBLISHED_SPEC.hop_ns,
    ),
    lambda identity, furnace: CameraFeed(identity, furnace, default_encoder(), PUBLISHED_SPEC),
    lambda identity, furnace: CameraFeed(
        identity, furnace, default_encoder(), PUBLISHED_SPEC, furnace.has_frames
    ),
)
CURRENT: Final = Producer(
    "current_producer",
    "meter-1",
    Wire(
        Topic.CURRENTS,
        current.SCHEMA,
        current.encode_current,
        PUBLISHED_SPEC.lookback_ns + PUBLISHED_SPEC.hop_ns,
    ),
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC),
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC, furnace.has_currents),
)
