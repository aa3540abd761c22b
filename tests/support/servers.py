"""Real Kafka, Redis and Triton for tests.

Fixtures (``tests/conftest.py`` makes them known everywhere)::

    def test_something(kafka, redis_server, triton, topics): ...

    kafka           KafkaServer, one a session: .address "host:port"
    redis_server    RedisServer, one a session, emptied before each test: .address "redis://…"
    triton          TritonServer, one a session, serving triton_models/repository: .address (gRPC),
                    .metrics_address
    topics          Topics, new for each test, on ``kafka``: .prefix, .partitions (3),
                    .name(Topic.SCORES) -> "t1a2b3c4d.scores.v1"; the whole catalogue exists,
                    nothing in it expires (records may carry fixed dates), it goes after the test

A test that breaks a server (kill, freeze, restart) takes one of its own, not the session's::

    with KafkaServer(tmp_path / "kafka") as own:
        ...
    with TritonServer(tmp_path / "triton", repository=folder_with_models) as own:
        ...
    with KafkaCluster(tmp_path / "cluster") as three:
        three.brokers[2].kill()

with the classes of ``meltwatch_local_cluster.servers``. Mark such modules
``pytestmark = pytest.mark.integration``.
"""

# Imported where used: a run of unit tests must not pay for gRPC and Kafka clients.
# ruff: noqa: PLC0415

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest
from meltwatch_schemas.topics import Topic, catalogue

from tests.support.kept_topics import kept_catalogue

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import KafkaServer, RedisServer, Server, TritonServer

    from tests.support.warm_program import WarmProgram

TEST_PARTITIONS = 3
# The broker compacts and deletes as soon as it may: a test that writes what is too old for its
# topic fails here, not once in a hundred runs.
_EAGER = {
    "log.cleaner.backoff.ms": "250",
    "log.retention.check.interval.ms": "250",
    "log.initial.task.delay.ms": "50",
}
_Server = TypeVar("_Server", bound="Server")


@dataclass(frozen=True)
class Topics:
    """A catalogue of topics that belongs to one test."""

    prefix: str
    partitions: int

    def name(self, topic: Topic) -> str:
        """Give the full name of a topic."""
        return topic.under(self.prefix)


@contextmanager
def running(server: _Server) -> Iterator[_Server]:
    """Run a server for a session and remove its folder at the end."""
    try:
        with server:
            yield server
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[KafkaServer]":
    from meltwatch_local_cluster.servers import KafkaServer

    with running(KafkaServer(tmp_path_factory.mktemp("kafka"), settings=_EAGER)) as server:
        yield server


@pytest.fixture(scope="session")
def redis_of_session(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RedisServer]":
    from meltwatch_local_cluster.servers import RedisServer

    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def redis_server(redis_of_session: "RedisServer") -> "RedisServer":
    from redis import Redis

    with Redis.from_url(redis_of_session.address) as client:
        client.flushall()
    return redis_of_session


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[TritonServer]":
    from meltwatch_local_cluster.servers import TritonServer

    with running(TritonServer(tmp_path_factory.mktemp("triton"))) as server:
        yield server


@pytest.fixture(scope="session")
def warm_manager() -> "Iterator[WarmProgram]":
    from tests.integration.alarm_manager.bench import warm_manager

    with warm_manager() as program:
        yield program


@pytest.fixture(scope="session")
def warm_console() -> "Iterator[WarmProgram]":
    from tests.integration.console.bench import warm_console

    with warm_console() as program:
        yield program


def made_topics(kafka: "KafkaServer") -> Topics:
    """Make a catalogue of topics under a prefix of its own."""
    from meltwatch_chassis.kafka.admin import create_topics

    made = Topics(prefix=f"t{secrets.token_hex(4)}", partitions=TEST_PARTITIONS)
    specs = kept_catalogue(made.prefix, made.partitions)
    create_topics({"bootstrap_servers": [kafka.address]}, specs)
    return made


@contextmanager
def fresh_topics(kafka: "KafkaServer") -> Iterator[Topics]:
    """Make a catalogue of topics, and delete it at the end."""
    from kafka import KafkaAdminClient

    made = made_topics(kafka)
    yield made
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in catalogue(made.prefix, made.partitions)])


@pytest.fixture
def topics(kafka: "KafkaServer") -> Iterator[Topics]:
    with fresh_topics(kafka) as made:
        yield made
