"""A producer as a process: feeds, Kafka, health and metrics put together."""

import threading
from collections.abc import Callable, Sequence

import structlog

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.kafka.publisher import KafkaPublisher, right_to_write
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.pacing import SimulatedRun, simulated_run
from meltwatch_chassis.publishing import AnyChunk, Feed, PacedPublication, Wire
from meltwatch_chassis.settings import ProducerSettings


def produce(
    service: str,
    settings: ProducerSettings,
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
        publication = PacedPublication(feeds_of(run), wire, publisher, clock)
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
            publication.run(run, stop)
