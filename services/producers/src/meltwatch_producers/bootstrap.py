"""Put a producer together: a feed for each furnace, simulated or recorded."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.kafka.publisher import KafkaPublisher, right_to_write
from meltwatch_chassis.lifecycle import run_sync
from meltwatch_chassis.metrics import Metrics
from meltwatch_fmf_benchmark import FormatError, Playback, Recording, open_recordings, play
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, SimulatedFurnace, furnace_ids

from meltwatch_producers.feeds import CameraFeed, MeterFeed
from meltwatch_producers.pacing import SimulatedRun, simulated_run
from meltwatch_producers.publication import Feed, PacedPublication, unsent
from meltwatch_producers.settings import Settings
from meltwatch_producers.wires import CURRENT_WIRE, VIDEO_WIRE, AnyChunk, Wire

_STOP_LIMIT_S: Final = 12.0
"""What is under way has ten."""


def produce(
    service: str,
    settings: Settings,
    wire: Wire[AnyChunk],
    feeds_of: Callable[[SimulatedRun], Sequence[Feed[AnyChunk]]],
    stop: threading.Event,
) -> None:
    """Publish what feeds give until told to stop; then deliver what is under way.

    Parameters
    ----------
    service
        Name in metrics.
    settings
        Addresses and the simulated run.
    wire
        How the chunks travel.
    feeds_of
        Makes the feeds of a run, one a furnace.
    stop
        Set from outside.

    Raises
    ------
    ConfigurationError
        If the settings do not fit each other.
    DependencyUnreachable
        If the broker does not answer or lacks the topic.
    """
    clock = SystemClock()
    run = simulated_run(settings, clock.now_ns())
    name = wire.topic.under(settings.topic_prefix)
    metrics, connection = Metrics(), connection_arguments(settings)
    dependencies = Dependencies(metrics, clock)

    def count(outcome: str, records: int) -> None:
        metrics.records.labels(service, name, outcome).inc(records)

    with KafkaPublisher(connection, name, count, clock, dependencies) as publisher:
        publication = PacedPublication(feeds_of(run), wire, name, publisher, clock)
        health = Health(
            publication.progress, lambda: dependencies.problem() or publication.readiness()
        )
        with (
            DependencyWatch(dependencies, {KAFKA: kafka_probe(connection, [right_to_write(name)])}),
            HealthServer(settings.health_address, health, metrics.registry) as server,
        ):
            structlog.get_logger().info(
                "publication_started",
                topic=name,
                source=str(settings.recording_dir or "simulator"),
                furnaces=settings.simulator_furnaces,
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
    """

    service: str
    source_id: str
    wire: Wire[AnyChunk]
    simulated: Callable[[ChunkIdentity, SimulatedFurnace], Feed[AnyChunk]]
    recorded: Callable[[ChunkIdentity, Playback], Feed[AnyChunk]]

    def main(self) -> int:
        """Publish until SIGTERM or SIGINT and return the exit code."""
        return run_sync(self.service, Settings, self.publish_furnaces, lambda _: _STOP_LIMIT_S)

    def publish_furnaces(self, settings: Settings, stop: threading.Event) -> None:
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

    def _simulated_feeds(self, settings: Settings, run: SimulatedRun) -> list[Feed[AnyChunk]]:
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
    VIDEO_WIRE,
    lambda identity, furnace: CameraFeed(identity, furnace, default_encoder(), PUBLISHED_SPEC),
    lambda identity, furnace: CameraFeed(
        identity, furnace, default_encoder(), PUBLISHED_SPEC, furnace.has_frames
    ),
)
CURRENT: Final = Producer(
    "current_producer",
    "meter-1",
    CURRENT_WIRE,
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC),
    lambda identity, furnace: MeterFeed(identity, furnace, PUBLISHED_SPEC, furnace.has_currents),
)
