"""Put the producer of a plant's own sources together: cameras and meters in one process.

One process, because one spool then holds both modalities and sends them in step.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

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
from meltwatch_producers.publication import RecordSink
from meltwatch_producers.wires import CURRENT_WIRE, VIDEO_WIRE, Wire
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_sources.plant import PlantSources, read_sources
from meltwatch_sources.supervisor import LiveSource

from meltwatch_source_producer.delivery import SpooledDelivery
from meltwatch_source_producer.live import Outlet, SourcesHealth
from meltwatch_source_producer.live_cameras import live_cameras
from meltwatch_source_producer.live_meters import live_meters
from meltwatch_source_producer.settings import Settings
from meltwatch_source_producer.spool import Spool

SERVICE: Final = "source_producer"
PAGE: Final = "/sources"
"""Of the health address: what runs, as JSON."""
_STOP_LIMIT_S: Final = 10.0
"""What was not sent by then waits in the spool."""


def main() -> int:
    """Publish until SIGTERM or SIGINT and return the exit code."""
    return run_sync(SERVICE, Settings, publish_sources, lambda _: _STOP_LIMIT_S)


def publish_sources(settings: Settings, stop: threading.Event) -> None:
    """Publish what the cameras and meters of a plant file give until told to stop.

    Raises
    ------
    ConfigurationError
        If there is no plant file, or it is wrong, or it names no source.
    """
    if settings.plant_file is None:
        raise ConfigurationError("MELTWATCH_PLANT_FILE: expected the plant file, got nothing")
    plant = read_sources(settings.plant_file)
    if not plant.videos and not plant.currents:
        raise ConfigurationError(
            f"{settings.plant_file}: expected a furnace with 'video:' or 'current:', got none"
        )
    clock, metrics = SystemClock(), Metrics()
    connection = connection_arguments(settings)
    dependencies = Dependencies(metrics, clock)
    wires = {
        wire.topic.under(settings.topic_prefix): replace(wire, traced=settings.tracing)
        for wire in (VIDEO_WIRE, CURRENT_WIRE)
    }
    delivery = SpooledDelivery(SERVICE, connection, wires, metrics, clock, dependencies)
    with (
        delivery.running(settings.spool_dir, settings.spool_bytes) as spool,
        _opened(plant, wires, spool, metrics, clock) as sources,
    ):
        states = SourcesHealth(sources, clock)
        health = Health(
            states.progress, lambda: dependencies.problem() or states.readiness(), states.warning
        )
        probe = kafka_probe(connection, [right_to_write(topic) for topic in wires])
        with (
            DependencyWatch(dependencies, {KAFKA: probe}),
            HealthServer(
                settings.health_address,
                health,
                metrics.registry,
                {PAGE: partial(_page, sources, spool, clock)},
            ) as server,
        ):
            structlog.get_logger().info(
                "publication_started",
                topics=list(wires),
                cameras=len(plant.videos),
                meters=len(plant.currents),
                health=server.address,
            )
            states.watch_sources(stop)


def _page(sources: Sequence[LiveSource], spool: Spool, clock: Clock) -> dict[str, Any]:
    """Return what ``meltwatch sources list`` shows; no login is in it."""
    figures = spool.figures()
    oldest_ms = figures.oldest_ms
    age_s = 0.0 if oldest_ms is None else (clock.now_ns() / NS_PER_MS - oldest_ms) / 1000
    return {
        "sources": [asdict(live.report()) for live in sources],
        "spool": {
            "bytes": sum(figures.bytes_by_furnace.values()),
            "oldest_s": max(0.0, round(age_s, 3)),
            "dropped": figures.dropped,
        },
    }


@contextmanager
def _opened(
    plant: PlantSources,
    wires: Mapping[str, Wire[Any]],
    sink: RecordSink,
    metrics: Metrics,
    clock: Clock,
) -> Iterator[list[LiveSource]]:
    """Open the sources for as long as the context lasts."""
    video, current = (Outlet(wire, topic, sink, clock) for topic, wire in wires.items())
    with (
        live_cameras(plant, video, metrics) as cameras,
        live_meters(plant, current, metrics) as meters,
    ):
        yield [*cameras, *meters]
