"""Put a producer together: a feed for each furnace, live, simulated or recorded."""

import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic

import structlog
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.kafka.publisher import right_to_write
from meltwatch_chassis.lifecycle import run_sync
from meltwatch_chassis.metrics import Metrics
from meltwatch_fmf_benchmark import FormatError, Playback, Recording, open_recordings, play
from meltwatch_schemas import current, embedding
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, SimulatedFurnace, furnace_ids
from meltwatch_sources.plant import PlantSources, read_sources

from meltwatch_producers.delivery import RecordDelivery
from meltwatch_producers.feeds import CameraFeed, MeterFeed
from meltwatch_producers.live import Supply
from meltwatch_producers.live_cameras import live_cameras
from meltwatch_producers.live_meters import live_meters
from meltwatch_producers.pacing import SimulatedRun, simulated_run
from meltwatch_producers.publication import AnyChunk, Feed, PacedPublication, Wire, unsent
from meltwatch_producers.settings import Settings


def produce(
    service: str,
    settings: Settings,
    wire: Wire[AnyChunk],
    supplied: Callable[[SimulatedRun, Metrics, Clock], AbstractContextManager[Supply[AnyChunk]]],
    stop: threading.Event,
) -> None:
    """Publish what a supply gives until told to stop; then deliver what is under way.

    Parameters
    ----------
    service
        Name in metrics.
    settings
        Addresses and the simulated run.
    wire
        How the chunks travel.
    supplied
        Opens what is to be published.
    stop
        Set from outside.

    Raises
    ------
    ConfigurationError
        If the settings do not fit each other.
    DependencyUnreachable
        If the broker does not answer or lacks the topic, and there is no spool to wait in.
    """
    clock = SystemClock()
    run = simulated_run(settings, clock.now_ns())
    name = wire.topic.under(settings.topic_prefix)
    metrics, connection = Metrics(), connection_arguments(settings)
    dependencies = Dependencies(metrics, clock)

    delivery = RecordDelivery(service, connection, metrics, clock, dependencies)
    delivering = (
        delivery.direct(name)
        if settings.spool_dir is None
        else delivery.spooled(settings.spool_dir, settings.spool_bytes, {name: wire})
    )
    with (
        delivering as sink,
        supplied(run, metrics, clock) as supply,
    ):
        publication = PacedPublication(supply.feeds, wire, name, sink, clock)
        health = Health(
            lambda: publication.progress() or supply.progress(),
            lambda: dependencies.problem() or publication.readiness() or supply.readiness(),
            supply.warning,
        )
        with (
            DependencyWatch(dependencies, {KAFKA: kafka_probe(connection, [right_to_write(name)])}),
            HealthServer(settings.health_address, health, metrics.registry) as server,
        ):
            structlog.get_logger().info(
                "publication_started",
                topic=name,
                source=supply.source,
                furnaces=len(supply.feeds),
                seed=settings.simulator_seed,
                origin_ns=run.origin_ns,
                health=server.address,
            )
            publication.publish_due(run, stop)


@dataclass(frozen=True, slots=True)
class Producer(Generic[AnyChunk]):
    """How the two producers differ.

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
    live
        Opens the sources of a plant file.
    """

    service: str
    source_id: str
    wire: Wire[AnyChunk]
    simulated: Callable[[ChunkIdentity, SimulatedFurnace], Feed[AnyChunk]]
    recorded: Callable[[ChunkIdentity, Playback], Feed[AnyChunk]]
    live: Callable[[PlantSources, Metrics, Clock], AbstractContextManager[Supply[AnyChunk]]]

    def main(self) -> int:
        """Publish until SIGTERM or SIGINT and return the exit code."""
        return run_sync(self.service, Settings, self.publish_furnaces)

    def publish_furnaces(self, settings: Settings, stop: threading.Event) -> None:
        """Publish what all furnaces show until told to stop.

        They are live if a plant file names sources, else simulated or recorded.

        Raises
        ------
        ConfigurationError
            If recordings are not of their form, or the plant file names no source of this kind.
        """
        wire = replace(self.wire, traced=settings.tracing)
        plant = planned_sources(settings)
        if plant is not None:
            # What is live has no past that could be sent before.
            wire = replace(wire, backfill_ns=0)
            live = lambda _, metrics, clock: self.live(plant, metrics, clock)  # noqa: E731
            produce(self.service, settings, wire, live, stop)
            return
        publish = partial(produce, self.service, settings, wire)
        if settings.recording_dir is None:
            publish(partial(self._simulated, settings), stop)
            return
        try:
            with open_recordings(settings.recording_dir) as recordings:
                publish(partial(self._recorded, settings, recordings), stop)
        except FormatError as error:
            raise ConfigurationError(f"MELTWATCH_RECORDING_DIR: {error}") from error

    def _simulated(
        self, settings: Settings, run: SimulatedRun, *_: object
    ) -> AbstractContextManager[Supply[AnyChunk]]:
        names = furnace_ids(settings.simulator_furnaces)
        scenario = Scenario(
            settings.simulator_seed, names, run.origin_ns, settings.simulator_duration_s
        )
        boot_id = secrets.token_hex(8)
        feeds = [
            self.simulated(unsent(name, self.source_id, boot_id), scenario.furnace(name))
            for name in names
        ]
        return nullcontext(Supply("simulator", feeds))

    def _recorded(
        self, settings: Settings, recordings: Sequence[Recording], run: SimulatedRun, *_: object
    ) -> AbstractContextManager[Supply[AnyChunk]]:
        boot_id = secrets.token_hex(8)
        feeds = [
            self.recorded(unsent(furnace.furnace_id, self.source_id, boot_id), furnace)
            for furnace in play(recordings, run.origin_ns)
        ]
        return nullcontext(Supply(str(settings.recording_dir), feeds))


def planned_sources(settings: Settings) -> PlantSources | None:
    """Return the sources of the plant file; None if there is no such file, or it names none.

    Raises
    ------
    ConfigurationError
        If the plant file is wrong, or a folder of recordings is given beside its sources.
    """
    if settings.plant_file is None:
        return None
    plant = read_sources(settings.plant_file)
    if not plant.videos and not plant.currents:
        return None
    if settings.recording_dir is not None:
        raise ConfigurationError(
            f"MELTWATCH_RECORDING_DIR={settings.recording_dir}: expected none beside the sources "
            f"of {settings.plant_file}"
        )
    return plant


VIDEO: Final = Producer(
    "video_producer",
    "camera-1",
    # No more than the clip of the first live window: older frames would only cost scoring calls.
    Wire(
        Topic.EMBEDDINGS,
        embedding.SCHEMA,
        embedding.encode_embedding,
        embedding.decode_embedding,
        PUBLISHED_SPEC.clip_span_ns + PUBLISHED_SPEC.hop_ns,
    ),
    lambda identity, furnace: CameraFeed(identity, furnace, default_encoder(), PUBLISHED_SPEC),
    lambda identity, furnace: CameraFeed(
        identity, furnace, default_encoder(), PUBLISHED_SPEC, furnace.has_frames
    ),
    live_cameras,
)
CURRENT: Final = Producer(
    "current_producer",
    "meter-1",
    Wire(
        Topic.CURRENTS,
        current.SCHEMA,
        current.encode_current,
        current.decode_current,
        PUBLISHED_SPEC.lookback_ns + PUBLISHED_SPEC.hop_ns,
    ),
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC),
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC, furnace.has_currents),
    live_meters,
)
