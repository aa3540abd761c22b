"""A broker's topics, a Redis and a manager process for each test."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.alarms.conftest import plain_thresholds

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import KafkaServer, RedisServer

    from tests.integration.alarm_manager.bench import Broker, ManagerProcess
    from tests.support.servers import Topics
    from tests.support.warm_program import WarmProgram

__all__ = ["plain_thresholds"]


@pytest.fixture
def broker(kafka: "KafkaServer", topics: "Topics") -> "Iterator[Broker]":
    from tests.integration.alarm_manager.bench import Broker

    made = Broker(kafka.address, topics.prefix)
    yield made
    made.close()


@pytest.fixture
def view(redis_server: "RedisServer") -> Iterator[Any]:
    from redis import Redis

    with Redis.from_url(redis_server.address, decode_responses=True) as client:
        yield client


@pytest.fixture
def make_manager(
    kafka: "KafkaServer",
    redis_server: "RedisServer",
    topics: "Topics",
    tmp_path: Path,
    warm_manager: "WarmProgram",
) -> "Callable[..., ManagerProcess]":
    from tests.integration.alarm_manager.bench import ManagerProcess

    def make(name: str = "manager", **environ: str) -> ManagerProcess:
        settings = {
            "kafka": kafka.address,
            "redis": redis_server.address,
            "topic_prefix": topics.prefix,
            "alarm_manager_instance": name,
        }
        made = ManagerProcess(tmp_path / f"{name}.log", **(settings | environ))
        made.warm = warm_manager
        return made

    return make
