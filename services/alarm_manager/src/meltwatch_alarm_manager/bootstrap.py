"""Puts the alarm manager together from its settings."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, REDIS, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.plant import read_plant, read_roles
from meltwatch_chassis.redis_access import redis_login, redis_problem
from meltwatch_core.alarms.manager.alarms import INPUTS, OUTPUTS, AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.access import ACCESS, Principal, rights_of
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.roles import Roles
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from meltwatch_alarm_manager import app
from meltwatch_alarm_manager.adapters.forked_trial import outlives
from meltwatch_alarm_manager.adapters.kafka_election import open_election
from meltwatch_alarm_manager.adapters.kafka_feed import open_feed
from meltwatch_alarm_manager.adapters.kafka_intake import open_intake
from meltwatch_alarm_manager.adapters.kafka_ledger import KafkaLedger
from meltwatch_alarm_manager.adapters.redis_probe import redis_probe
from meltwatch_alarm_manager.adapters.redis_view import RedisView
from meltwatch_alarm_manager.pipeline.projection import Projection
from meltwatch_alarm_manager.settings import Settings
from meltwatch_alarm_manager.vitals import ManagerVitals

_REDIS_TIMEOUT_S = 5.0
_REDIS_RETRIES = 1
"""A connection that was lost is made again at once; more than that is an outage."""
_PATIENCE = {"request_timeout_ms": 15_000, "retry_backoff_ms": 500}
"""A frozen broker is given up well before the health page reports a standstill."""


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Run manager and projector until told to stop."""
    plant, roles = read_plant(settings.plant_file), _roles(settings)
    points = {furnace.id: furnace.alarm_points for furnace in plant.furnaces}
    _check_parents(MasterAlarmList(points, settings.topic_prefix), settings.plant_file)
    metrics, clock = Metrics(), SystemClock()

    def make_pipeline() -> AlarmPipeline:
        prefix = settings.topic_prefix
        # Made anew for each reign: what the topic says is read again.
        master_list = MasterAlarmList(points, prefix, plant.locale)
        return AlarmPipeline(master_list, metrics, prefix, settings.max_furnaces, roles, outlives)

    dependencies = Dependencies(metrics, clock)
    vitals = ManagerVitals(clock, dependencies, metrics)
    health = Health(progress=vitals.progress, readiness=vitals.readiness)
    probes = {
        KAFKA: kafka_probe(
            _connection(settings), rights_of(Principal.ALARM_MANAGER, settings.topic_prefix)
        ),
        REDIS: redis_probe(
            partial(_redis_client, settings, retries=0),
            settings.topic_prefix,
            partial(redis_problem, settings),
        ),
    }
    with (
        DependencyWatch(dependencies, probes),
        HealthServer(settings.health_address, health, metrics.registry) as server,
    ):
        structlog.get_logger().info("health_served", address=server.address)
        await app.run_until_stopped(
            _manager(settings, make_pipeline, vitals), _projector(settings, points, vitals), stop
        )


def _check_parents(master_list: MasterAlarmList, plant_file: Path | None) -> None:
    try:
        master_list.check_parents()
    except ContractViolation as error:
        raise ConfigurationError(f"{plant_file}: {error.detail}") from error


def _manager(
    settings: Settings, make_pipeline: Callable[[], AlarmPipeline], vitals: ManagerVitals
) -> app.Manager:
    connection, prefix = _connection(settings), settings.topic_prefix
    access = ACCESS[Principal.ALARM_MANAGER]
    group, offsets_group = (f"{prefix}.{name}" for name in access.groups)
    (name,) = (f"{prefix}.{name}" for name in access.transactional_ids)
    instance = settings.alarm_manager_instance
    required = [topic.under(prefix) for topic in (*INPUTS, *OUTPUTS)]
    return app.Manager(
        election=lambda: open_election(connection, prefix, group, required, instance),
        ledger=lambda: KafkaLedger(connection, prefix, name, offsets_group),
        intake=lambda: open_intake(connection, prefix, offsets_group, INPUTS),
        pipeline=make_pipeline,
        clock=SystemClock(),
        vitals=vitals,
    )


def _projector(
    settings: Settings, points: dict[str, tuple[AlarmPoint, ...]], vitals: ManagerVitals
) -> app.Projector:
    connection, prefix = _connection(settings), settings.topic_prefix
    return app.Projector(
        feed=lambda: open_feed(connection, prefix),
        view=lambda: RedisView(
            _redis_client(settings), prefix, SystemClock(), partial(redis_problem, settings)
        ),
        projection=Projection(prefix, points.__contains__, settings.max_furnaces),
        clock=SystemClock(),
        vitals=vitals,
    )


def _roles(settings: Settings) -> Roles | None:
    roles = read_roles(settings.roles_file)
    if roles is None:
        structlog.get_logger().warning("roles_not_checked", wanted="MELTWATCH_ROLES_FILE")
    return roles


def _connection(settings: Settings) -> dict[str, Any]:
    return connection_arguments(settings) | _PATIENCE


def _redis_client(settings: Settings, retries: int = _REDIS_RETRIES) -> Redis:
    """Return a client of the primary; it connects when first used."""
    return Redis.from_url(
        settings.redis,
        socket_timeout=_REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(), retries),
        **redis_login(settings),
    )
