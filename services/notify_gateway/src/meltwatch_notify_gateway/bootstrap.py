"""Puts the notify gateway together from its settings."""

import asyncio
from functools import partial

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.access import Principal, rights_of

from meltwatch_notify_gateway.adapters.apprise_sender import open_senders
from meltwatch_notify_gateway.adapters.channel_file import read_channels
from meltwatch_notify_gateway.adapters.kafka_receipts import read_told
from meltwatch_notify_gateway.app import ADAPTER, Gateway
from meltwatch_notify_gateway.domain.pager import Pager
from meltwatch_notify_gateway.domain.switchboard import Switchboard
from meltwatch_notify_gateway.settings import Settings
from meltwatch_notify_gateway.vitals import GatewayVitals

_PATIENCE = {"request_timeout_ms": 15_000, "retry_backoff_ms": 500}


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Tell people of alarms until told to stop."""
    file = read_channels(settings.channels_file)
    senders = open_senders(file)
    metrics, clock, prefix = Metrics(), SystemClock(), settings.topic_prefix
    connection = connection_arguments(settings) | _PATIENCE
    rights = rights_of(Principal.NOTIFY_GATEWAY, prefix)
    dependencies = Dependencies(metrics, clock)
    vitals = GatewayVitals(clock, dependencies)
    gateway = Gateway(
        AlarmFeed(connection, prefix, rights, ADAPTER, clock),
        Switchboard(prefix, {entry.name: Pager(entry.plan) for entry in file.channels}),
        senders,
        partial(read_told, connection, prefix),
        clock,
        (vitals, metrics),
    )
    health = Health(progress=vitals.progress, readiness=vitals.readiness)
    with (
        DependencyWatch(dependencies, {KAFKA: kafka_probe(connection, rights)}),
        HealthServer(settings.health_address, health, metrics.registry) as server,
    ):
        structlog.get_logger().info("health_served", address=server.address)
        await gateway.run_until(stop)
