"""Everything with logins: the printed rights suffice, all of them are used, each absence is told.

One module, because one broker and one Redis serve it.
"""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_alarm_manager.adapters.kafka_records import enter
from meltwatch_alarm_manager.adapters.redis_view import RedisView
from meltwatch_alarm_manager.ports import AlarmChange
from meltwatch_chassis import kafka_publisher
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka_access import refusal, require_access
from meltwatch_chassis.kafka_config import connection_arguments
from meltwatch_chassis.redis_access import redis_login, redis_problem
from meltwatch_chassis.settings import KafkaSettings, RedisSettings, TritonSettings, load
from meltwatch_chassis.testing import ManualClock
from meltwatch_chassis.topics_admin import missing_topics
from meltwatch_local_cluster.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.access import ACCESS, Operation, Principal, Resource, Right
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_selftest.adapters.redis_alarms import open_redis_alarms
from meltwatch_stream_processor.adapters.triton_endpoint import TritonEndpoint
from meltwatch_stream_processor.bootstrap import serve
from meltwatch_stream_processor.errors import EndpointError
from meltwatch_stream_processor.settings import Settings as ProcessorSettings
from redis.asyncio import Redis

from tests.integration.alarm_manager.test_redis_view import alarm_changes, furnace_changes
from tests.integration.secured.bench import PREFIX, Plant, Process, until
from tests.support.input_records import InputRecord, frame_record, live
from tests.support.secured import Authority, TlsProxy

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SERVICES = ("stream_processor", "alarm_manager", "video_producer", "current_producer")
SERVING = ("video_producer", "current_producer", "stream_processor", "alarm_manager", "selftest",
           "backtester", "operator")  # fmt: skip
# A redrive that was cut short is looked for in its target; the ordinary way needs no look.
UNUSED = {
    Right(Operation.READ, Resource.TOPIC, topic.under(PREFIX))
    for topic in ACCESS[Principal.REDRIVER].own
}
Ways = dict[str, tuple[dict[str, str | None], int, str]]
"""What is changed in the settings, the exit code, and words of the line."""
NOT_CHECKED = ("stream_processor", "DESCRIBE_CONFIGS")


# The whole path


def test_the_printed_rights_suffice_and_each_is_used(
    plant: Plant, triton: TritonServer, tmp_path: Path
):
    begun = plant.decided()  # other tests take rights away
    certificate = plant.kafka.authority.issue("triton", LOOPBACK)
    host, _, port = triton.address.rpartition(":")
    with TlsProxy(int(port), certificate, "h2") as triton_tls, ExitStack() as stack:
        extra = {
            "triton": f"{host}:{triton_tls.port}",
            "triton_tls": "true",
            "triton_ca_file": str(plant.kafka.authority.file),
            "simulator_furnaces": "1",
        }
        services = {
            name: stack.enter_context(
                Process(name, plant.environment(name, **extra), tmp_path / f"{name}.log")
            )
            for name in SERVICES
        }
        for service in services.values():
            service.until_ready()
        done = plant.command("selftest", "selftest", "--json", timeout_s=200)
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = json.loads(done.stdout)
        assert (verdict["failures"], verdict["windows"]["missing"]) == ([], 0)
        _disturb(plant)
        _operate(plant, verdict["alarm_id"])
        _maintain(plant)
        _watch_as_scada(plant)
        logs = "".join(service.log.read_text() for service in services.values())
        shown = logs + "".join(service.command_line for service in services.values())
    assert not [user for user, secret in plant.kafka.passwords.items() if secret in shown]
    assert '"not_checked"' in logs
    assert "Traceback" not in logs
    _judge(plant, begun)


def _disturb(plant: Plant) -> None:
    """Send what goes to the dead letters and to the late records."""
    start_ns = SystemClock().now_ns() - 140 * NS_PER_S
    good = live(["plain/F-1"], 20, start_ns=start_ns)
    late = replace(frame_record("plain/F-1", start_ns + NS_PER_S, seq=999))
    with closing(KafkaProducer(**plant.kafka.plain)) as producer:
        for record in (*good, late):
            _send(producer, record)
        for topic in UNUSED:
            producer.send(topic.name, key=b"plain/F-1", value=b"{", headers=[("schema", b"?/1.0")])
        producer.flush(30)
    with closing(KafkaConsumer(**plant.kafka.plain)) as consumer:
        for topic, least in ((Topic.DEAD_LETTERS, len(UNUSED)), (Topic.LATE, 1)):
            until(lambda t=topic, n=least: _size(consumer, t) >= n, lambda t=topic: t)  # type: ignore[misc]


def _send(producer: KafkaProducer, record: InputRecord) -> None:
    producer.send(
        record.topic.under(PREFIX),
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        timestamp_ms=record.timestamp_ms,
    )


def _size(consumer: KafkaConsumer, topic: Topic) -> int:
    name = topic.under(PREFIX)
    parts = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name)]
    return sum(consumer.end_offsets(parts).values())


def _operate(plant: Plant, alarm_id: str) -> None:
    """Do what operators do, in Redis and on the topics."""
    for source in ([], ["--from-kafka"]):
        done = plant.command("operator", "alarms", "list", "--all", "--json", *source)
        assert alarm_id in done.stdout, done.stderr
    done = plant.command("operator", "alarms", "ack", alarm_id)
    assert "refuses" not in done.stderr, done.stderr  # it is acknowledged already
    with subprocess.Popen(
        [*_program(), "alarms", "tail"],
        env=plant.environment("operator") | {"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tail:
        until(
            lambda: _has_used(plant, "operator", Operation.READ, Topic.HEARTBEATS),
            plant.audit,
        )
        tail.terminate()  # Ctrl-C is ignored by what a background job starts
        _, said = tail.communicate(timeout=30)
    assert "refuses" not in said


def _program() -> list[str]:
    from tests.support.product import MELTWATCH  # noqa: PLC0415

    return [str(MELTWATCH)]


def _has_used(plant: Plant, user: str, operation: Operation, topic: Topic) -> bool:
    place = (Resource.TOPIC, topic.under(PREFIX))
    return (user, "Allowed", operation, *place) in plant.audit()


def _maintain(plant: Plant) -> None:
    """Check the topics, redrive all letters, record the history."""
    done = plant.command("topics", "topics", "check", "--partitions=3", "--replication-factor=1")
    assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("redriver", "dead-letters", "redrive", "--yes", "--force", "--from=-10m")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert done.stdout.count("  sent  ") >= len(UNUSED), done.stdout + done.stderr
    recording = str(plant.folder / "recording")
    done = plant.command(
        "backtester", "record", "--from=-5m", "--to=now", "--output", recording, timeout_s=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _watch_as_scada(plant: Plant) -> None:
    """Read and write the topics that a SCADA adapter knows, and look into Redis."""
    connection = _connection(plant.environment("scada"))
    names = [Topic.ALARMS, Topic.HEARTBEATS, Topic.ALARM_RESULTS]
    parts = [TopicPartition(topic.under(PREFIX), 0) for topic in names]
    with closing(KafkaConsumer(**connection, auto_offset_reset="earliest")) as consumer:
        consumer.assign(parts)
        seen: set[str] = set()
        deadline = time.monotonic() + 60
        while len(seen) < len(parts) and time.monotonic() < deadline:
            seen |= {part.topic for part in consumer.poll(timeout_ms=500)}
    assert len(seen) == len(parts)
    with closing(KafkaProducer(**connection)) as producer:
        producer.send(Topic.ALARM_COMMANDS.under(PREFIX), key=b"a/b/c", value=b"{}").get(30)


def _judge(plant: Plant, begun: int) -> None:
    """Hold what the authorizer has decided against what was granted."""
    denied = {
        (user, operation) for user, how, operation, *_ in plant.audit(begun) if how == "Denied"
    }
    assert {one for one in denied if one[1] != "DESCRIBE"} <= {NOT_CHECKED}
    audit = plant.audit()
    unused = {
        (user, str(right))
        for user, rights in plant.granted.items()
        for right in rights
        if not any(_is_use(entry, user, right) for entry in audit)
    }
    assert unused <= {("redriver", str(right)) for right in UNUSED}


def _is_use(entry: tuple[str, str, Operation, Resource, str], user: str, right: Right) -> bool:
    who, verdict, operation, resource, name = entry
    is_there = name.startswith(right.name) if right.prefixed else name == right.name
    kind = (user, "Allowed", right.operation, right.resource)
    return (who, verdict, operation, resource) == kind and is_there


# Each right away


def test_each_right_that_is_missing_is_named_with_its_resource(plant: Plant):
    for user in SERVING:
        connection = _connection(plant.environment(user))
        require_access(connection, plant.granted[user])
        for right in plant.granted[user]:
            with plant.without(user, right), pytest.raises(FatalError) as refused:
                require_access(connection, plant.granted[user])
            assert refused.value.exit_code == 2
            said = str(refused.value)
            assert f"expected {right}, the broker refuses it for user '{user}'" in said


def test_a_service_that_lacks_a_right_ends_with_one_line(plant: Plant, tmp_path: Path):
    lacks = {
        "stream_processor": Right(Operation.WRITE, Resource.TOPIC, f"{PREFIX}.late.v1"),
        "video_producer": Right(Operation.WRITE, Resource.TOPIC, f"{PREFIX}.embeddings.v1"),
    }
    for service, right in lacks.items():
        log = tmp_path / f"{service}.log"
        with plant.without(service, right), Process(service, plant.environment(service), log) as it:
            assert it.process.wait(60) == 2
        (line,) = [line for line in log.read_text().splitlines() if not line.startswith("{")]
        assert line.startswith(f"{service}: Kafka at ")
        assert f"expected {right}, the broker refuses it for user '{service}'" in line


def test_the_alarm_manager_waits_for_a_right_and_says_which(plant: Plant, tmp_path: Path):
    user = "alarm_manager"
    right = Right(Operation.WRITE, Resource.TOPIC, f"{PREFIX}.heartbeats.v1")
    with Process(user, plant.environment(user), tmp_path / "manager.log") as manager:
        manager.until_ready()
        with plant.without(user, right):
            manager.until(lambda said: f"expected {right}, the broker refuses it" in said)
        manager.until_ready()
        plant.give_redis(user, without="+exists")
        try:
            manager.until(lambda said: "exists" in said)
        finally:
            plant.give_redis(user)
        manager.until_ready()


@pytest.mark.parametrize(
    ("user", "topic", "operation", "arguments"),
    [
        ("operator", Topic.ALARMS, Operation.READ, ["alarms", "list", "--from-kafka"]),
        ("operator", Topic.ALARM_COMMANDS, Operation.WRITE,
         ["alarms", "ack", "a/b/c", "--event-id", "6f1c7f1e-0000-4000-8000-000000000000"]),
        ("redriver", Topic.DEAD_LETTERS, Operation.READ, ["dead-letters", "list"]),
        ("backtester", Topic.ALARM_POINTS, Operation.READ,
         ["record", "--from=-1m", "--to=now", "--output=nothing"]),
        ("selftest", Topic.ALARM_RESULTS, Operation.READ, ["selftest", "--patience=1"]),
    ],
)  # fmt: skip
def test_a_command_that_lacks_a_right_ends_with_one_line(
    plant: Plant, user: str, topic: Topic, operation: Operation, arguments: list[str]
):
    right = Right(operation, Resource.TOPIC, topic.under(PREFIX))
    with plant.without(user, right):
        done = plant.command(user, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"expected {right}, the broker refuses it for user '{user}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_topics_may_not_read_is_told_line_by_line(plant: Plant):
    cluster, settings = (
        next(
            right
            for right in plant.granted["topics"]
            if (right.operation, right.resource) == (Operation.DESCRIBE_CONFIGS, resource)
        )
        for resource in (Resource.CLUSTER, Resource.TOPIC)
    )
    for right, words, lines in (
        (cluster, "broker: not permitted to read auto.create.topics.enable", 1),
        (settings, "not permitted to read cleanup.policy", 13),
    ):
        with plant.without("topics", right):
            done = plant.command("topics", "topics", "check", "--partitions=3")
        assert done.returncode == 1, done.stderr
        assert done.stdout.count(words) == lines, done.stdout
        assert done.stdout.count("expected DESCRIBE_CONFIGS on ") == lines
    with plant.without("topics", Right(Operation.CREATE, Resource.TOPIC, f"{PREFIX}.", True)):
        done = plant.command("topics", "topics", "create", "--partitions=3")
    assert done.returncode == 0, done.stderr  # they are there
    done = plant.command("scada", "topics", "create")
    assert done.returncode == 2
    assert f"{PREFIX}.embeddings.v1: TopicAuthorizationFailedError" in done.stderr


# Wrong configurations


def test_each_wrong_way_in_has_a_line_of_its_own_for_every_client(plant: Plant, tmp_path: Path):
    said: dict[str, str] = {}
    with ThreadingTCPServer((LOOPBACK, 0), _Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        ways = _wrong_ways(plant, tmp_path, f"{LOOPBACK}:{server.server_address[1]}")
        _try_each(plant, ways, said)
        server.shutdown()
    assert len(set(said.values())) == len(said)
    assert all("\n" not in line for line in said.values())
    shown = "".join(said.values())
    assert not [user for user, secret in plant.kafka.passwords.items() if secret in shown]


class _Web(BaseRequestHandler):
    """Answers whatever comes as a web server does that does not understand it."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _try_each(plant: Plant, ways: Ways, said: dict[str, str]) -> None:
    for name, (changes, exit_code, words) in ways.items():
        environment = plant.environment("stream_processor", **changes)
        connection = _connection(environment)
        reason = refusal(connection)
        assert reason is not None, name
        said[name] = str(reason)
        assert reason.exit_code == exit_code, said[name]
        assert words in said[name]
        for client in (_by_kafka_python, _by_producer, _by_faust, _by_manager):
            assert client(environment, connection) == said[name], (name, client)


def _wrong_ways(plant: Plant, folder: Path, web: str) -> Ways:
    stranger = Authority(folder / "stranger")
    (nothing,) = free_ports(1)
    listeners = plant.kafka.addresses
    by_name = listeners["SASL_SSL"].replace(LOOPBACK, "localhost")
    mutual = {"kafka": listeners["SSL"], "kafka_security_protocol": "SSL"}
    chain, key = map(str, stranger.issue("stranger", "stranger"))
    foreign = {"kafka_certificate_file": chain, "kafka_private_key_file": key}
    return {
        "nothing listens": ({"kafka": f"{LOOPBACK}:{nothing}"}, 3, "Connection refused"),
        "no such host": ({"kafka": "nowhere.invalid:9092"}, 3, "expected an answer, got"),
        "TLS to plain": ({"kafka": plant.kafka.server.address}, 2, "is this a plaintext port?"),
        "plain to TLS": ({"kafka_security_protocol": "PLAINTEXT"}, 2, "a server that wants TLS"),
        "no login": ({"kafka_security_protocol": "SSL"}, 2, "does it want a login (SASL)?"),
        "another protocol": ({"kafka": web, "kafka_security_protocol": "SASL_PLAINTEXT"}, 2,
                             "a Kafka broker, got an answer in another protocol"),
        "wrong password": ({"kafka_password_file": None, "kafka_password": "wrong"}, 2,
                           "let user 'stream_processor' in, got wrong user or password"),
        "unknown user": ({"kafka_username": "nobody"}, 2,
                         "let user 'nobody' in, got wrong user or password"),
        "unknown CA": ({"kafka_ca_file": str(stranger.file)}, 2,
                       "signed by a CA of MELTWATCH_KAFKA_CA_FILE"),
        "expired": ({**mutual, "kafka": listeners["EXPIRED"]}, 2, "certificate has expired"),
        "wrong host": ({"kafka": by_name}, 2, "not valid for 'localhost'"),
        "no client certificate": ({**mutual}, 2, "MELTWATCH_KAFKA_CERTIFICATE_FILE"),
        "foreign client certificate": ({**mutual, **foreign}, 2, "client certificate, got the TLS"),
        "wrong mechanism": ({"kafka_sasl_mechanism": "SCRAM-SHA-256"}, 2,
                            "takes SCRAM-SHA-256, got one that takes SCRAM-SHA-512"),
    }  # fmt: skip


def _by_kafka_python(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.raises(FatalError) as refused:
        missing_topics(connection | {"bootstrap_timeout_ms": 500}, [f"{PREFIX}.scores.v1"])
    return str(refused.value)


def _by_producer(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_publisher, "_START_MS", 500)
        with pytest.raises(FatalError) as refused:
            kafka_publisher._connect(connection, f"{PREFIX}.scores.v1")
    return str(refused.value)


def _by_faust(environment: Mapping[str, str], _: dict[str, Any]) -> str:
    async def run() -> None:
        await serve(load(ProcessorSettings, environment), asyncio.Event())

    with pytest.raises(FatalError) as refused:
        asyncio.run(run())
    return str(refused.value)


def _by_manager(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.raises(TransientError) as refused:
        asyncio.run(enter(connection, PREFIX))
    return str(refused.value)


def test_mutual_tls_lets_the_owner_of_a_certificate_in(plant: Plant):
    chain, key = map(str, plant.kafka.authority.issue("stream_processor", LOOPBACK))
    environment = plant.environment(
        "stream_processor",
        kafka=plant.kafka.addresses["SSL"],
        kafka_security_protocol="SSL",
        kafka_certificate_file=chain,
        kafka_private_key_file=key,
    )
    require_access(_connection(environment), plant.granted["stream_processor"])


def test_a_frozen_server_is_unreachable(plant: Plant):
    with socket.create_server((LOOPBACK, 0)) as silent:
        address = f"{LOOPBACK}:{silent.getsockname()[1]}"
        connection = _connection(plant.environment("operator", kafka=address))
        reason = refusal(connection)
    assert reason is not None
    assert reason.exit_code == 3


# Redis


def _redis_settings(environment: Mapping[str, str]) -> RedisSettings:
    return load(RedisSettings, environment)


async def _write_the_view(settings: RedisSettings) -> None:
    """Do to a view of another topic whatever the projector does."""
    client = Redis.from_url(settings.redis, **redis_login(settings))
    explain = lambda error: redis_problem(settings, error)  # noqa: E731
    async with RedisView(client, PREFIX, ManualClock(1), explain) as view:
        await view.open(1_000)
        removal = AlarmChange("a/F1/OVERHEAT", None, b"", 900)
        await view.apply([*alarm_changes("a/F1"), *furnace_changes(1), removal])
        await view.is_present()
        await view.open(1)


def test_each_right_in_redis_is_needed_and_its_absence_told(plant: Plant):
    user = "alarm_manager"
    settings = _redis_settings(plant.environment(user))
    for rule in (None, *plant.redis_rules[user]):
        with _fresh_redis(plant) as admin:
            plant.give_redis(user, without=rule)
            admin.execute_command("SCRIPT", "FLUSH")
            try:
                asyncio.run(_write_the_view(settings))
            except TransientError as error:
                said = str(error)
            else:
                said = ""
            finally:
                plant.give_redis(user)
        if rule is None:
            assert said == ""
            continue
        assert "'meltwatch topics acls' prints for user 'alarm_manager'" in said, (rule, said)
        assert _names(rule, said), (rule, said)


@pytest.mark.parametrize(
    ("user", "arguments"),
    [("operator", ["alarms", "list"]), ("selftest", ["selftest", "--patience=1"])],
)
def test_each_right_of_those_who_look_into_redis_is_needed(
    plant: Plant, user: str, arguments: list[str]
):
    with _fresh_redis(plant) as admin:
        admin.hset(f"{PREFIX}:meta", "offset", 0)
        admin.hset(f"{PREFIX}:alarm:a/F1/OVERHEAT", "record", "{}")
    for rule in plant.redis_rules[user]:
        plant.give_redis(user, without=rule)
        try:
            done = plant.command(user, *arguments)
        finally:
            plant.give_redis(user)
        assert done.returncode == 2, (rule, done.stdout, done.stderr)
        assert "got a refusal" in done.stderr
        assert _names(rule, done.stderr), (rule, done.stderr)


def _names(rule: str, said: str) -> bool:
    if rule.startswith("+"):
        return rule.removeprefix("+") in said.lower()
    return ("channel" if rule.startswith("&") else "key") in said


def _fresh_redis(plant: Plant) -> Any:
    from redis import Redis as Plain  # noqa: PLC0415

    client = Plain.from_url(plant.redis.address)
    client.flushall()
    return client


def test_each_wrong_way_into_redis_has_a_line_of_its_own(plant: Plant, tmp_path: Path):
    stranger = Authority(tmp_path / "stranger")
    (nothing,) = free_ports(1)
    port = plant.redis_tls.port
    ways: Ways = {
        "nothing listens": ({"redis": f"rediss://{LOOPBACK}:{nothing}/0"}, 3, "Connection refused"),
        "wrong password": ({"redis_password_file": None, "redis_password": "wrong"}, 2, "password"),
        "unknown user": ({"redis_username": "nobody"}, 2, "let user 'nobody' in"),
        "no login": ({"redis_username": None, "redis_password_file": None}, 2, ""),
        "unknown CA": ({"redis_ca_file": str(stranger.file)}, 2, "CA of MELTWATCH_REDIS_CA_FILE"),
        "wrong host": ({"redis": f"rediss://localhost:{port}/0"}, 2, "not valid for 'localhost'"),
        "TLS to plain": ({"redis": plant.redis.address.replace("redis:", "rediss:")}, 2,
                         "is this a plaintext port?"),
        "plain to TLS": ({"redis": f"redis://{LOOPBACK}:{port}/0", "redis_ca_file": None}, 2,
                         "one that wants it"),
        "CA and no TLS": ({"redis": f"redis://{LOOPBACK}:{port}/0"}, 2, "expected rediss://"),
    }  # fmt: skip
    said: dict[str, str] = {}
    with _fresh_redis(plant) as admin:
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">d")
        try:
            for name, (changes, exit_code, words) in ways.items():
                settings = _redis_settings(plant.environment("selftest", **changes))
                with pytest.raises(FatalError) as refused, open_redis_alarms(settings):
                    pass
                said[name] = str(refused.value)
                assert refused.value.exit_code == exit_code, said[name]
                assert words in said[name], (name, said[name])
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "nopass")
    assert len(set(said.values())) == len(said), said


# Triton


def test_each_wrong_way_to_triton_has_a_line_of_its_own(
    plant: Plant, triton: TritonServer, tmp_path: Path
):
    stranger = Authority(tmp_path / "stranger")
    certificate = plant.kafka.authority.issue("triton", LOOPBACK)
    ca_file = str(plant.kafka.authority.file)
    (nothing,) = free_ports(1)
    with TlsProxy(int(triton.address.rpartition(":")[2]), certificate, "h2") as proxy:
        secured = f"{LOOPBACK}:{proxy.port}"
        ways = {
            (f"{LOOPBACK}:{nothing}", ca_file): "Connection refused",
            (secured, str(stranger.file)): "signed by a CA of MELTWATCH_TRITON_CA_FILE",
            (f"localhost:{proxy.port}", ca_file): "not valid for 'localhost'",
            (triton.address, ca_file): "is this a plaintext port?",
            (secured, None): "one that wants it",
        }
        said = [asyncio.run(_identify(*way)) for way in ways]
        assert asyncio.run(_identify(secured, ca_file)) == ""
    for line, words in zip(said, ways.values(), strict=True):
        assert words in line
    assert len(set(said)) == len(said)


async def _identify(address: str, ca_file: str | None) -> str:
    settings = TritonSettings.model_validate(
        {"triton": address, "triton_tls": ca_file is not None, "triton_ca_file": ca_file}
    )
    async with TritonEndpoint(address, settings, PUBLISHED_SPEC, 10.0) as endpoint:
        try:
            await endpoint.identify()
        except EndpointError as error:
            return str(error)
    return ""


def _connection(environment: Mapping[str, str]) -> dict[str, Any]:
    return connection_arguments(load(KafkaSettings, environment))
