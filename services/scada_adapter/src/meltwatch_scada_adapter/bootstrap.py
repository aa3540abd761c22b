"""Puts the SCADA adapter together from its settings."""

import asyncio

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, PipelineLink
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.plant import read_plant, read_roles
from meltwatch_chassis.tasks import first_of
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.roles import Roles

from meltwatch_scada_adapter.adapters.opcua.certificates import open_certificates
from meltwatch_scada_adapter.adapters.opcua.server import APPLICATION_URI, ClientAccess, open_server
from meltwatch_scada_adapter.adapters.opcua.users import read_users
from meltwatch_scada_adapter.app import ADAPTER, ScadaAdapter
from meltwatch_scada_adapter.domain.plant import PlantConditions
from meltwatch_scada_adapter.settings import Settings


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Show alarms until told to stop."""
    clock, metrics = SystemClock(), Metrics()
    plant = read_plant(settings.plant_file)
    points = {furnace.id: furnace.alarm_points for furnace in plant.furnaces}
    conditions = PlantConditions(MasterAlarmList(points, settings.topic_prefix, plant.locale))
    roles, access = _roles(settings), _access(settings, clock)
    rights = rights_of(Principal.SCADA_ADAPTER, settings.topic_prefix)
    connection = connection_arguments(settings)
    feed = AlarmFeed(connection, settings.topic_prefix, rights, ADAPTER, clock)
    dependencies = Dependencies(metrics, clock)
    vitals = LoopVitals(clock, dependencies)
    health = Health(progress=vitals.progress, readiness=lambda: _problem(feed, dependencies))
    async with open_server(access, settings.opcua_max_conditions, clock) as (face, starter):
        adapter = ScadaAdapter(
            feed=feed,
            face=face,
            conditions=conditions,
            roles=roles,
            prefix=settings.topic_prefix,
            clock=clock,
            patience_s=settings.opcua_order_timeout_s,
            start=starter.start,
            vitals=vitals,
            metrics=metrics,
        )
        face.link(adapter)
        face.measure(metrics)
        with (
            DependencyWatch(dependencies, {KAFKA: kafka_probe(connection, rights)}),
            HealthServer(settings.health_address, health, metrics.registry) as server,
        ):
            structlog.get_logger().info("health_served", address=server.address)
            await first_of(
                stop.wait(), adapter.show_alarms(), adapter.write_receipts(), adapter.beat()
            )


def _access(settings: Settings, clock: SystemClock) -> ClientAccess:
    host = settings.opcua_address.rpartition(":")[0]
    certificates = open_certificates(
        settings.opcua_certificate_dir,
        host,
        APPLICATION_URI,
        clock,
        trust_all=settings.opcua_trust_all,
    )
    users = read_users(settings.opcua_users_file, is_open=settings.opcua_open)
    return ClientAccess(settings.opcua_address, certificates, users, settings.opcua_open)


def _roles(settings: Settings) -> Roles | None:
    roles = read_roles(settings.roles_file)
    if roles is None:
        structlog.get_logger().warning("everybody_only_looks", wanted="MELTWATCH_ROLES_FILE")
    return roles


def _problem(feed: AlarmFeed, dependencies: Dependencies) -> str | None:
    if away := dependencies.problem():
        return away
    if feed.link is not PipelineLink.LIVE:
        return f"alarms: {feed.link}: {feed.problem or 'no heartbeat of the alarm manager yet'}"
    return None
