"""Everything with logins: the printed rights suffice, all of them are used, each absence is told.

One module, because one broker and one Redis serve it; what its tests do stands beside it by theme.
"""

import asyncio
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from socketserver import ThreadingTCPServer
from threading import Thread

import pytest
from meltwatch_chassis.errors import ConfigurationError, FatalError, TransientError
from meltwatch_chassis.kafka.access import explained, refusal, require_access
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.errors import is_refusal
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_local_cluster.servers.addresses import LOOPBACK
from meltwatch_schemas.access import Operation, Principal, Resource, Right
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_selftest.adapters.redis_alarms import open_redis_alarms

from tests.integration.secured.bench import PREFIX, Plant, Process, connection_of
from tests.integration.secured.lost_rights import (
    LOST,
    LOST_IN_REDIS,
    input_ends,
    lose,
    lose_in_redis,
    sent_more_than_once_or_never,
    until_judged,
)
from tests.integration.secured.redis_rights import (
    READS,
    all_of,
    fresh_redis,
    is_named,
    look_as_scada,
    raise_and_clear,
    redis_settings,
    write_the_view,
)
from tests.integration.secured.whole_path import (
    disturb,
    judge,
    maintain,
    operate,
    save,
    tell_people,
    unused_rights,
    watch_as_scada,
    watch_sources,
)
from tests.integration.secured.wrong_ways import (
    Web,
    identify,
    try_each,
    wrong_ways,
    wrong_ways_to_redis,
)
from tests.support.kafka_faces import PART, WRITES, Connection, exchange
from tests.support.secured import Authority, TlsProxy
from tests.support.waiting import LIMIT_S

pytestmark = [pytest.mark.long, pytest.mark.integration]

SERVICES = ("stream_processor", "alarm_manager", "video_producer", "current_producer")


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
        settings = plant.environment("shadow_processor", shadow_ensemble="fmformer", **extra)
        services["shadow_processor"] = stack.enter_context(
            Process("stream_processor", settings, tmp_path / "shadow_processor.log")
        )
        for service in services.values():
            service.until_ready()
        done = plant.command("selftest", "selftest", "--json", timeout_s=2 * LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = json.loads(done.stdout)
        assert (verdict["failures"], verdict["windows"]["missing"]) == ([], 0)
        disturb(plant)
        operate(plant, verdict["alarm_id"])
        maintain(plant)
        watch_as_scada(plant)
        logs = "".join(service.log.read_text() for service in services.values())
        shown = logs + "".join(service.command_line for service in services.values())
    logs += tell_people(plant) + watch_sources(plant)
    assert not [user for user, secret in plant.kafka.passwords.items() if secret in shown]
    assert '"not_checked"' in logs
    assert "Traceback" not in logs
    judge(plant, begun)


def test_backup_and_restore_use_each_of_their_rights(plant: Plant):
    """The plant's topics begin with a restore."""
    save(plant)
    assert unused_rights(plant, (Principal.BACKUP, Principal.RESTORE)) == set()


async def test_both_clients_write_and_read_alike_with_two_rights_alone(plant: Plant):
    name = Topic.SHADOW_SCORES.under(PREFIX)
    connection = plant.newcomer("faces", name)
    for write in WRITES:
        await exchange(write, connection, name, time.time_ns() // NS_PER_MS)


# Each right away


async def test_both_clients_name_the_right_that_is_missing(plant: Plant):
    name = Topic.SHADOW_SCORES.under(PREFIX)
    connection = plant.newcomer("outsider", name)
    record = OutgoingRecord(name, b"k", b"v", (), partition=PART)
    to_write, to_read = (
        Right(operation, Resource.TOPIC, name) for operation in (Operation.WRITE, Operation.READ)
    )
    async with AsyncKafkaPublisher(connection) as publisher:
        await publisher.publish(record)
        with plant.without("outsider", to_write):
            with pytest.raises(FatalError, match=f"publishing to {name}") as fatal:
                await publisher.publish(record)
            assert is_refusal(fatal.value.__cause__)
            told = f"expected {to_write}, the broker refuses it"
            with pytest.raises(ConfigurationError, match=told):
                await asyncio.to_thread(explained_write, connection, record, to_write)
    with plant.without("outsider", to_read):
        async with AsyncReader.connected(connection) as reader:
            with pytest.raises(TransientError, match=f"reading {name}/{PART} up to 1") as passing:
                [one async for one in reader.read(name, PART, range(1))]
        assert is_refusal(passing.value.__cause__)
        told = f"expected {to_read}, the broker refuses it"
        with pytest.raises(ConfigurationError, match=told):
            await asyncio.to_thread(explained_read, connection, name, to_read)
        with pytest.raises(ConfigurationError, match=told):
            await asyncio.to_thread(opened, connection, name)


def opened(connection: Connection, name: str) -> None:
    """Nothing is read here, as of an empty topic, so the broker would not say what is missing."""
    with SpanReader.of_topic(connection, name):
        pass


def explained_write(connection: Connection, record: OutgoingRecord, right: Right) -> None:
    with explained(connection, [right]), Writer.connected(connection) as writer:
        writer.write([record], 30.0)


def explained_read(connection: Connection, name: str, right: Right) -> None:
    with explained(connection, [right]), SpanReader.connected(connection) as reader:
        list(reader.read(name, PART, 0, 1))


def test_each_right_that_is_missing_is_named_with_its_resource(plant: Plant):
    for user, rights in plant.granted.items():
        connection = connection_of(plant.environment(user))
        require_access(connection, rights)
        for right in rights:
            with plant.without(user, right), pytest.raises(FatalError) as refused:
                require_access(connection, rights)
            assert refused.value.exit_code == 2
            said = str(refused.value)
            assert f"expected {right}, the broker refuses it for user '{user}'" in said
    assert plant.granted.keys() == {*Principal}


def test_a_service_that_lacks_a_right_ends_with_one_line(plant: Plant, tmp_path: Path):
    lacks = {
        "stream_processor": Right(Operation.WRITE, Resource.TOPIC, f"{PREFIX}.late.v1"),
        "video_producer": Right(Operation.WRITE, Resource.TOPIC, f"{PREFIX}.embeddings.v1"),
    }
    for service, right in lacks.items():
        log = tmp_path / f"{service}.log"
        with plant.without(service, right), Process(service, plant.environment(service), log) as it:
            assert it.process.wait(LIMIT_S) == 2
        (line,) = [line for line in log.read_text().splitlines() if not line.startswith("{")]
        assert line.startswith(f"{service}: Kafka at ")
        assert f"expected {right}, the broker refuses it for user '{service}'" in line


def test_a_right_lost_in_mid_run_is_named_and_all_goes_on_when_it_is_given_again(
    plant: Plant, triton: TritonServer, tmp_path: Path
):
    begun = input_ends(plant)
    with ExitStack() as stack:
        extra = {"triton": triton.address, "simulator_furnaces": "1"}
        services = {
            name: stack.enter_context(
                Process(name, plant.environment(name, **extra), tmp_path / f"{name}.log")
            )
            for name in SERVICES
        }
        for service in services.values():
            service.until_ready()
        for lost in LOST:
            lose(plant, services, lost)
        for rule in LOST_IN_REDIS:
            lose_in_redis(plant, services["alarm_manager"], rule)
        until_judged(plant)
        assert [service.process.poll() for service in services.values()] == [None] * len(services)
    assert sent_more_than_once_or_never(plant, begun) == []


PORTRAIT = str(Path("schemas/golden/portraits/v1/of-both.msgpack").resolve())


@pytest.mark.parametrize(
    ("user", "topic", "operation", "arguments"),
    [
        ("operator", Topic.ALARMS, Operation.READ, ["alarms", "list", "--from-kafka"]),
        ("operator", Topic.ALARM_COMMANDS, Operation.WRITE,
         ["alarms", "ack", "a/b/c", "--event-id", "6f1c7f1e-0000-4000-8000-000000000000"]),
        ("redriver", Topic.DEAD_LETTERS, Operation.READ, ["dead-letters", "list"]),
        ("redriver", Topic.CURRENTS, Operation.WRITE,
         ["dead-letters", "redrive", "--yes", "--from=-1d", "--error=scoring_rejected"]),
        ("engineer", Topic.ALARM_POINTS, Operation.READ, ["alarms", "points", "export"]),
        ("engineer", Topic.PORTRAITS, Operation.READ, ["portrait", "list"]),
        ("engineer", Topic.PORTRAITS, Operation.WRITE,
         ["portrait", "publish", PORTRAIT, "--why=so"]),
        ("backtester", Topic.PORTRAITS, Operation.READ,
         ["portrait", "fit", "--furnace=a/b", "--from=-1m"]),
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


def test_an_import_needs_two_rights_on_one_topic(plant: Plant, tmp_path: Path):
    prefix, user = f"{PREFIX}.replay.old", "importer"
    done = plant.command("topics", "topics", "create", "--partitions=3", topic_prefix=prefix)
    assert done.returncode == 0, done.stderr
    name = Topic.CURRENTS.under(prefix)
    plant.newcomer(user, name)
    plant.password_file(user).write_text(plant.kafka.passwords[user])
    export = tmp_path / "export.csv"
    export.write_text("time,a,b,c\n1764400000,1,2,3\n1764400009,1,2,3\n")
    line = ["sources", "import", f"csv:{export}", "--furnace=a/b", "--replay=old"]
    for operation in (Operation.READ, Operation.WRITE):
        right = Right(operation, Resource.TOPIC, name)
        with plant.without(user, right):
            done = plant.command(user, *line)
        assert done.returncode == 2, done.stdout + done.stderr
        assert f"expected {right}, the broker refuses it for user '{user}'" in done.stderr
        assert "Traceback" not in done.stderr
    done = plant.command(user, *line)
    assert done.returncode == 0, done.stdout + done.stderr


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
        (settings, "not permitted to read cleanup.policy", len(Topic)),
    ):
        with plant.without("topics", right):
            done = plant.command("topics", "topics", "check", "--partitions=3")
        assert done.returncode == 1, done.stderr
        assert done.stdout.count(words) == lines, done.stdout
        assert done.stdout.count("expected DESCRIBE_CONFIGS on ") == lines
    sees = Right(Operation.DESCRIBE, Resource.TOPIC, f"{PREFIX}.", prefixed=True)
    with plant.without("topics", sees):
        done = plant.command("topics", "topics", "check", "--partitions=3")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(f"expected DESCRIBE on topic {PREFIX}.") == len(Topic)
    makes = Right(Operation.CREATE, Resource.TOPIC, f"{PREFIX}.", prefixed=True)
    with plant.without("topics", makes):
        done = plant.command("topics", "topics", "create", "--partitions=3")
        assert done.returncode == 0, done.stderr  # they are there
        done = plant.command("topics", "topics", "create", topic_prefix=f"{PREFIX}.other")
    assert done.returncode == 2
    assert f"expected CREATE on topic {PREFIX}.other.*, the broker refuses it" in done.stderr


# Wrong configurations


def test_each_wrong_way_in_has_a_line_of_its_own_for_every_client(plant: Plant, tmp_path: Path):
    said: dict[str, str] = {}
    with ThreadingTCPServer((LOOPBACK, 0), Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        ways = wrong_ways(plant, tmp_path, f"{LOOPBACK}:{server.server_address[1]}")
        try_each(plant, ways, said)
        server.shutdown()
    assert len(set(said.values())) == len(said)
    assert all("\n" not in line for line in said.values())
    shown = "".join(said.values())
    assert not [user for user, secret in plant.kafka.passwords.items() if secret in shown]


def test_mutual_tls_lets_the_owner_of_a_certificate_in(plant: Plant):
    chain, key = map(str, plant.kafka.authority.issue("stream_processor", LOOPBACK))
    environment = plant.environment(
        "stream_processor",
        kafka=plant.kafka.addresses["SSL"],
        kafka_security_protocol="SSL",
        kafka_certificate_file=chain,
        kafka_private_key_file=key,
    )
    require_access(connection_of(environment), plant.granted["stream_processor"])


def test_a_frozen_server_is_unreachable(plant: Plant):
    with socket.create_server((LOOPBACK, 0)) as silent:
        address = f"{LOOPBACK}:{silent.getsockname()[1]}"
        connection = connection_of(plant.environment("operator", kafka=address))
        reason = refusal(connection)
    assert reason is not None
    assert reason.exit_code == 3


# Redis


def test_each_right_in_redis_is_needed_and_its_absence_told(plant: Plant):
    user = "alarm_manager"
    settings = redis_settings(plant.environment(user))
    for rule in (None, *plant.redis_rules[user]):
        with fresh_redis(plant) as admin:
            plant.give_redis(user, without=rule)
            admin.execute_command("SCRIPT", "FLUSH")
            try:
                asyncio.run(write_the_view(settings))
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
        assert is_named(rule, said), (rule, said)


@pytest.mark.parametrize("rule", ["+xadd", "+publish", "&meltwatch:changes", "+srem", "+sadd"])
def test_a_right_that_is_lost_in_redis_leaves_no_half_of_a_change(plant: Plant, rule: str):
    user = "alarm_manager"
    settings = redis_settings(plant.environment(user))
    with fresh_redis(plant) as admin:
        admin.hset(f"{PREFIX}:meta", "offset", 0)
        before = all_of(admin)
        plant.give_redis(user, without=rule)
        try:
            with pytest.raises(TransientError, match=rule[1:]):
                asyncio.run(raise_and_clear(settings))
        finally:
            plant.give_redis(user)
        assert all_of(admin) == before
        asyncio.run(raise_and_clear(settings))
        assert admin.xlen(f"{PREFIX}:journal") == 2


def test_each_right_of_a_scada_adapter_in_redis_is_needed(plant: Plant):
    user = "scada"
    settings = redis_settings(plant.environment(user))
    for rule in (None, *plant.redis_rules[user]):
        plant.give_redis(user, without=rule)
        try:
            said = look_as_scada(settings)
        finally:
            plant.give_redis(user)
        if rule is None:
            assert said == ""
        else:
            assert is_named(READS.get(rule, rule), said), (rule, said)


@pytest.mark.parametrize(
    ("user", "arguments"),
    [("operator", ["alarms", "list"]), ("selftest", ["selftest", "--patience=1"])],
)
def test_each_right_of_those_who_look_into_redis_is_needed(
    plant: Plant, user: str, arguments: list[str]
):
    with fresh_redis(plant) as admin:
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
        assert is_named(rule, done.stderr), (rule, done.stderr)


def test_each_wrong_way_into_redis_has_a_line_of_its_own(plant: Plant, tmp_path: Path):
    ways = wrong_ways_to_redis(plant, tmp_path)
    said: dict[str, str] = {}
    with fresh_redis(plant) as admin:
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">d")
        try:
            for name, (changes, exit_code, words) in ways.items():
                settings = redis_settings(plant.environment("selftest", **changes))
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
    with TlsProxy(int(triton.address.rpartition(":")[2]), certificate, "h2") as proxy:
        secured = f"{LOOPBACK}:{proxy.port}"
        ways = {
            (f"{LOOPBACK}:1", ca_file): "Connection refused",
            (secured, str(stranger.file)): "signed by a CA of MELTWATCH_TRITON_CA_FILE",
            (f"localhost:{proxy.port}", ca_file): "not valid for 'localhost'",
            (triton.address, ca_file): "is this a plaintext port?",
            (secured, None): "one that wants it",
        }
        said = [asyncio.run(identify(*way)) for way in ways]
        assert asyncio.run(identify(secured, ca_file)) == ""
    for line, words in zip(said, ways.values(), strict=True):
        assert words in line
    assert len(set(said)) == len(said)
