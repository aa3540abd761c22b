"""Puts the SCADA adapter together from its settings."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, PipelineLink
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.plant import Plant, read_plant, read_roles
from meltwatch_chassis.tasks import first_of
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.access import Principal, Right, rights_of
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.window import NS_PER_S

from meltwatch_scada_adapter.adapters.opcua.certificates import open_certificates
from meltwatch_scada_adapter.adapters.opcua.server import APPLICATION_URI, ClientAccess, open_server
from meltwatch_scada_adapter.adapters.opcua.users import read_users
from meltwatch_scada_adapter.adapters.sparkplug.birth_numbers import BirthNumbers
from meltwatch_scada_adapter.adapters.sparkplug.broker import MqttBroker, broker_of
from meltwatch_scada_adapter.adapters.sparkplug.face import SparkplugFace
from meltwatch_scada_adapter.app import ScadaAdapter
from meltwatch_scada_adapter.domain.plant import PlantConditions
from meltwatch_scada_adapter.domain.sparkplug.edge_node import EdgeNode
from meltwatch_scada_adapter.domain.sparkplug.names import NodeNames
from meltwatch_scada_adapter.ports import ScadaFace
from meltwatch_scada_adapter.settings import Settings

OPC_UA: Final = "opcua"
SPARKPLUG: Final = "sparkplug"
"""What commands and receipts name: ``via`` and ``adapter``."""
_SPARKPLUG_PATIENCE_S: Final = 15.0
"""Nobody waits for the answer to a DCMD as for that to a call: it is a metric."""


@dataclass(frozen=True, slots=True)
class _Site:
    """What the faces of one process have in common; each reads Kafka by itself."""

    settings: Settings
    plant: Plant
    roles: Roles | None
    rights: Sequence[Right]
    connection: Mapping[str, Any]
    clock: SystemClock
    metrics: Metrics
    dependencies: Dependencies
    adapters: list[ScadaAdapter] = field(default_factory=list)
    brokers: list[Dependencies] = field(default_factory=list)
    works: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)

    def adapter(
        self,
        name: str,
        face: ScadaFace,
        start: Callable[[], Awaitable[None]],
        *,
        told: str,
        patience_s: float,
    ) -> ScadaAdapter:
        """Return what stands between Kafka and a face, after adding it to what is to run."""
        prefix = self.settings.topic_prefix
        points = {furnace.id: furnace.alarm_points for furnace in self.plant.furnaces}
        made = ScadaAdapter(
            adapter=name,
            told=told,
            feed=AlarmFeed(self.connection, prefix, self.rights, name, self.clock),
            face=face,
            conditions=PlantConditions(MasterAlarmList(points, prefix, self.plant.locale)),
            roles=self.roles,
            prefix=prefix,
            clock=self.clock,
            patience_s=patience_s,
            start=start,
            vitals=LoopVitals(self.clock, self.dependencies),
            metrics=self.metrics,
        )
        self.adapters.append(made)
        self.works.extend((made.show_alarms, made.write_receipts, made.beat))
        return made

    def stuck(self) -> str | None:
        """Return what is stuck, if anything."""
        return _first(adapter.vitals.progress() for adapter in self.adapters)

    def unready(self) -> str | None:
        """Return what is away, if anything."""
        if away := _first(each.problem() for each in (self.dependencies, *self.brokers)):
            return away
        for feed in (adapter.feed for adapter in self.adapters):
            if feed.link is not PipelineLink.LIVE:
                reason = feed.problem or "no heartbeat of the alarm manager yet"
                return f"alarms: {feed.link}: {reason}"
        return None


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Show alarms until told to stop."""
    clock, metrics = SystemClock(), Metrics()
    rights = rights_of(Principal.SCADA_ADAPTER, settings.topic_prefix)
    connection = connection_arguments(settings)
    broker = broker_of(settings, f"{settings.sparkplug_group}-{settings.sparkplug_edge}")
    if not settings.opcua_address and broker is None:
        raise ConfigurationError(
            "expected MELTWATCH_OPCUA_ADDRESS for OPC UA or MELTWATCH_MQTT for Sparkplug, got none"
        )
    dependencies = Dependencies(metrics, clock)
    site = _Site(
        settings, read_plant(settings.plant_file), _roles(settings), rights, connection,
        clock, metrics, dependencies,
    )  # fmt: skip
    health = Health(progress=site.stuck, readiness=site.unready)
    async with AsyncExitStack() as servers:
        if settings.opcua_address:
            await _add_opcua(site, servers)
        if broker is not None:
            _add_sparkplug(site, broker)
        with (
            DependencyWatch(dependencies, {KAFKA: kafka_probe(connection, rights)}),
            HealthServer(settings.health_address, health, metrics.registry) as server,
        ):
            structlog.get_logger().info("health_served", address=server.address)
            await first_of(stop.wait(), *(work() for work in site.works))


async def _add_opcua(site: _Site, servers: AsyncExitStack) -> None:
    settings = site.settings
    access = _access(settings, site.clock)
    face, starter = await servers.enter_async_context(
        open_server(access, settings.opcua_max_conditions, site.clock)
    )
    told, patience_s = "sent to the sessions that listen", settings.opcua_order_timeout_s
    face.link(site.adapter(OPC_UA, face, starter.start, told=told, patience_s=patience_s))
    face.measure(site.metrics)


def _add_sparkplug(site: _Site, broker: MqttBroker) -> None:
    settings, clock = site.settings, site.clock
    names = NodeNames(settings.sparkplug_group, settings.sparkplug_edge, settings.sparkplug_host)
    numbers = BirthNumbers(settings.sparkplug_state_file, clock.now_ns() // NS_PER_S)
    node = EdgeNode(names, settings.sparkplug_max_alarms)
    face = SparkplugFace(node, broker, numbers, settings.sparkplug_user, clock, site.metrics)
    told, patience_s = "published to the MQTT broker", _SPARKPLUG_PATIENCE_S
    face.link(site.adapter(SPARKPLUG, face, face.start, told=told, patience_s=patience_s))
    site.works.append(face.keep_sessions)
    # Apart from Kafka: a broker of SCADA that is away is no excuse for a loop that stands still.
    site.brokers.append(face.dependencies)


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


def _first(problems: Iterable[str | None]) -> str | None:
    return next((each for each in problems if each is not None), None)
