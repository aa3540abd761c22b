import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_schemas.alarm import (
    ALARM_SCHEMA,
    HEARTBEAT_SCHEMA,
    RESULT_SCHEMA,
    AlarmCommand,
    AlarmRecord,
    CommandResult,
    Heartbeat,
)
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.topics import Topic
from redis import Redis

from tests.support.timed_records import alarm_record

pytestmark = pytest.mark.integration

RAISED = alarm_record("f/OVERHEAT", "UNACK", seq=1)
ACKED = alarm_record("f/OVERHEAT", "ACKED", seq=2)
OTHER = alarm_record("g/OVERHEAT", "UNACK", seq=1, priority="critical")
NORMAL = alarm_record("h/OVERHEAT", "NORM", seq=4)
REPLAYED = alarm_record("r/OVERHEAT", "UNACK", run_id="r1")


@pytest.fixture
def addressed(kafka, topics, redis_server, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_REDIS", redis_server.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)


@pytest.fixture
def publish(kafka, topics):
    """Publishes alarm records as the manager does, in a transaction; or leaves it aborted."""

    def send(*records: AlarmRecord, commit: bool = True) -> None:
        with closing(
            KafkaProducer(bootstrap_servers=kafka.address, transactional_id=topics.prefix)
        ) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            for record in records:
                producer.send(
                    topics.name(Topic.ALARMS),
                    key=record.alarm_id.encode(),
                    value=record.to_json(),
                    headers=headers_for(ALARM_SCHEMA, JSON),
                )
            producer.flush()
            producer.commit_transaction() if commit else producer.abort_transaction()

    return send


@pytest.fixture
def show(redis_server, topics):
    """Puts alarm records into Redis as the projector does."""

    def write(*records: AlarmRecord) -> None:
        keys = RedisKeys(topics.prefix)
        with Redis.from_url(redis_server.address) as client:
            client.hset(keys.meta, "epoch", 1)
            for record in records:
                client.hset(keys.alarm(record.alarm_id), "record", record.to_json())

    return write


@pytest.fixture
def beat(kafka, topics):
    """Writes a heartbeat of the alarm manager, as old as is said; or what a stranger writes."""

    def send(
        watched: int | None = 12, blind: int | None = 0, age_s: float = 0.0, **raw: bytes
    ) -> None:
        heartbeat = Heartbeat(
            service="alarm_manager",
            epoch=1,
            seq=1,
            active_alarms=0,
            at=datetime.now(UTC) - timedelta(seconds=age_s),
            watched=watched,
            blind=blind,
        )
        with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
            producer.send(
                topics.name(Topic.HEARTBEATS),
                **{
                    "key": heartbeat.service.encode(),
                    "value": heartbeat.to_json(),
                    "headers": headers_for(HEARTBEAT_SCHEMA, JSON),
                }
                | raw,
            ).get(20)

    return send


@pytest.mark.usefixtures("addressed")
def test_the_list_from_redis_is_the_list_from_the_topic(command, publish, show, beat):
    publish(RAISED, OTHER, NORMAL, REPLAYED)
    publish(ACKED)
    publish(alarm_record("aborted/OVERHEAT"), commit=False)
    show(ACKED, OTHER, NORMAL)
    beat()

    code, from_redis, watch = command("alarms", "list", "--json")
    assert code == 0
    watch = json.loads(watch)
    assert (watch["stale"], watch["watched"], watch["blind"]) == (False, 12, 0)
    alarms = [AlarmRecord.model_validate(alarm) for alarm in json.loads(from_redis)]
    assert alarms == [OTHER, ACKED]

    assert command("alarms", "list", "--json", "--from-kafka")[:2] == (0, from_redis)
    both = [command("alarms", "list", "--all", *more)[1] for more in ([], ["--from-kafka"])]
    assert both[0].splitlines()[:-1] == both[1].splitlines()[:-1]
    assert "h/OVERHEAT" in both[0]
    assert "3 alarms (1 not acknowledged); 12 furnaces watched, 0 blind; as of " in both[0]


# A process of its own: kafka-python leaves the sockets of a broker that does not answer.
MID_READ = """
import sys
from meltwatch_chassis import kafka_span
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_cli.adapters.kafka_alarms import open_alarm_topics

kafka_span._FETCH_BYTES, kafka_span._PATIENCE_POLLS = 1024, 5
address, prefix = sys.argv[1:]
try:
    with open_alarm_topics({"bootstrap_servers": [address]}, prefix) as topics:
        alarms = topics.alarms()
        next(alarms)
        print("reading", flush=True)
        sys.stdin.readline()
        list(alarms)
except DependencyUnreachable as error:
    print(error)
"""


def test_a_broker_that_stops_answering_in_mid_read_is_one_clear_line(kafka, topics, publish):
    publish(*(alarm_record(f"f/{number}", "UNACK") for number in range(1000)))
    command = [sys.executable, "-c", MID_READ, kafka.address, topics.prefix]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout.readline() == "reading\n"
        kafka.freeze()
        try:
            said, _ = reader.communicate("go on\n", timeout=60)
        finally:
            reader.kill()
            kafka.thaw()
    assert kafka.address in said
    assert "no answer" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("addressed")
def test_an_empty_view_is_no_alarms_of_a_watched_plant_and_a_missing_one_an_error(
    command, show, beat
):
    code, out, err = command("alarms", "list")
    assert (code, out) == (3, "")
    assert "--from-kafka" in err

    show()
    beat()
    for source in ([], ["--from-kafka"]):
        code, out, err = command("alarms", "list", *source)
        assert (code, err) == (0, "")
        assert out.startswith("no alarms; 12 furnaces watched, 0 blind; as of ")
        assert command("alarms", "list", "--json", *source)[:2] == (0, "[]\n")


@pytest.mark.usefixtures("addressed")
def test_blind_furnaces_a_silent_manager_and_an_old_one_have_their_exit_codes(command, show, beat):
    show()
    beat(blind=2)
    code, out, _ = command("alarms", "list")
    assert (code, "12 furnaces watched, 2 BLIND" in out) == (1, True)

    beat(watched=None, blind=None)
    code, out, _ = command("alarms", "list")
    assert (code, "watched: unknown" in out) == (0, True)

    for age_s, key in ((40.0, b"alarm_manager"), (-300.0, b"alarm_manager"), (0.0, b"stranger")):
        beat(age_s=40)
        beat(age_s=age_s, key=key)
        code, out, _ = command("alarms", "list")
        assert code == 3
        assert out.startswith("STALE: no heartbeat for ")
        assert "no alarms" not in out
    assert command("alarms", "list", "--json")[:2] == (3, "[]\n")


@pytest.mark.usefixtures("addressed")
def test_a_manager_whose_clock_differs_is_heard_all_the_same(command, show, beat):
    show()
    beat(age_s=3600)
    over = threading.Event()

    def live() -> None:
        while not over.wait(1.0):
            beat(age_s=3600)

    manager = threading.Thread(target=live)
    manager.start()
    try:
        code, out, _ = command("alarms", "list")
    finally:
        over.set()
        manager.join()
    assert code == 0
    assert out.startswith("no alarms; 12 furnaces watched, 0 blind")


@pytest.mark.usefixtures("addressed")
def test_a_list_without_kafka_cannot_tell_whether_it_is_current(command, show, monkeypatch):
    show(OTHER)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:9")

    code, out, _ = command("alarms", "list")

    assert code == 3
    assert "g/OVERHEAT" in out
    assert "cannot tell whether the list is current" in out


@pytest.mark.usefixtures("addressed")
def test_a_view_that_lags_behind_the_topic_is_not_current(
    command, show, publish, beat, redis_server, topics
):
    publish(RAISED)
    show()
    with Redis.from_url(redis_server.address) as client:
        client.hset(RedisKeys(topics.prefix).meta, "offset", 0)
    beat()

    code, out, _ = command("alarms", "list")

    assert code == 3
    assert "Redis lacks the newest 1 records" in out


@pytest.mark.usefixtures("addressed")
def test_whatever_stands_in_topics_and_redis_is_left_out_and_counted(
    command, publish, beat, topics, redis_server
):
    publish(OTHER)
    hostile = [
        {"key": None, "value": b"{}"},
        {"key": b"\xff", "value": b"\xff"},
        {"key": b"g/OVERHEAT", "value": b"[" * 100_000},
        {"key": b"g/OVERHEAT", "value": OTHER.to_json()},
        {"key": b"x/Y", "value": OTHER.to_json(), "headers": headers_for(ALARM_SCHEMA, JSON)},
        {"key": b"g/OVERHEAT", "value": bytes(900_000)},
    ]
    with closing(KafkaProducer(bootstrap_servers=os.environ["MELTWATCH_KAFKA"])) as producer:
        for record in hostile:
            for topic in (Topic.HEARTBEATS, Topic.ALARMS):
                if record["key"] is None and topic is Topic.ALARMS:
                    continue  # a compacted topic takes no record without a key
                producer.send(topics.name(topic), **record).get(20)
    keys = RedisKeys(topics.prefix)
    with Redis.from_url(redis_server.address) as client:
        client.hset(keys.meta, "epoch", 1)
        client.hset(keys.alarm("g/OVERHEAT"), "record", OTHER.to_json())
        client.set(keys.alarm("string"), "x")
        client.hset(keys.alarm("a/JSON"), "record", "{")
        client.hset(keys.alarm("a/BYTES"), "record", b"\xff\xfe")
        client.hset(keys.alarm("a/OTHER"), "record", OTHER.to_json())
        client.hset(f"{topics.prefix}:alarm:".encode() + b"\xff", "record", b"x")
    beat()

    code, out, err = command("alarms", "list", "--from-kafka")
    assert code == 0
    assert "g/OVERHEAT" in out
    assert "records could not be read; the first at " in err

    code, out, err = command("alarms", "list")
    assert code == 1, "an alarm that cannot be read may be one that stands"
    assert "g/OVERHEAT" in out
    assert "Redis: " in err
    assert "could not be read" in err
    assert command("alarms", "show", "g/OVERHEAT")[0] == 0


@pytest.mark.usefixtures("addressed")
def test_an_alarm_is_named_by_its_end_and_shown_with_all_that_happened(
    command, show, publish, beat
):
    alarm_id = "demo/smelting-1/FMF-01/OVERHEAT"
    first = alarm_record(alarm_id, "UNACK", seq=1)
    comment = {"from": "UNACK", "to": "UNACK", "cause": "COMMENT", "by": "li", "comment": "smoke?"}
    second = alarm_record(alarm_id, "UNACK", seq=2, transition=comment)
    publish(first, OTHER, second)
    show(second, OTHER, RAISED)
    beat()

    code, out, _ = command("alarms", "show", "FMF-01/OVERHEAT")

    assert code == 0
    assert alarm_id in out
    assert "COMMENT to UNACK by li: smoke?" in out
    assert f"meltwatch alarms ack {alarm_id}" in out
    assert second.guidance.action in out

    code, out, err = command("alarms", "show", "OVERHEAT")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert alarm_id in err
    assert "g/OVERHEAT" in err
    assert command("alarms", "show", "1/OVERHEAT")[0] == 2, "levels are whole"


@pytest.mark.usefixtures("addressed")
def test_tail_follows_from_when_it_is_told_until_it_is_interrupted(publish):
    publish(RAISED)
    argv = [sys.executable, "-m", "meltwatch_cli", "alarms", "tail", "--json", "--since", "1h"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == RAISED
        publish(REPLAYED, ACKED)
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == ACKED
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
        assert (out, err.count("\n")) == ("", 1)
        assert "STALE: no heartbeat within a day" in err
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("addressed")
def test_tail_says_when_nobody_is_there_and_when_somebody_is_again(publish, beat):
    argv = [sys.executable, "-m", "meltwatch_cli", "alarms", "tail", "--json"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "STALE: no heartbeat within a day" in process.stderr.readline()
        beat()
        assert "12 furnaces watched, 0 blind" in process.stderr.readline()
        beat(blind=3)
        assert "12 furnaces watched, 3 BLIND (before: " in process.stderr.readline()
        assert "STALE: no heartbeat for" in process.stderr.readline()
        beat(blind=3)
        assert "live again" in process.stderr.readline()
        publish(RAISED)
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == RAISED
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15) == ("", "")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def manager(kafka, topics):
    """Answers one command with a result code, as the alarm manager would; keeps the command."""
    commands: list[AlarmCommand] = []
    threads = []

    def answer(code: str) -> None:
        consumer = KafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
        partition = TopicPartition(topics.name(Topic.ALARM_COMMANDS), 0)
        consumer.assign([partition])
        consumer.seek_to_end(partition)
        consumer.position(partition)
        thread = threading.Thread(
            target=_answer_next, args=(kafka, topics, consumer, commands, code)
        )
        threads.append(thread)
        thread.start()

    yield answer, commands
    for thread in threads:
        thread.join(30)


def _answer_next(kafka, topics, consumer, commands, code):
    with closing(consumer), closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        record = next(iter(consumer))
        commands.append(AlarmCommand.from_json(record.value))
        for command_id in ("of-somebody-else", commands[-1].command_id):
            result = CommandResult(
                command_id=command_id,
                alarm_id=record.key.decode(),
                result="done" if code == "ok" else "refused",
                code=code,
                detail="as told",
                at=datetime(2026, 11, 22, tzinfo=UTC),
            )
            producer.send(
                topics.name(Topic.ALARM_RESULTS),
                key=record.key,
                value=result.to_json(),
                headers=headers_for(RESULT_SCHEMA, JSON),
            )


@pytest.mark.usefixtures("addressed")
@pytest.mark.parametrize(("result", "exit_code"), [("ok", 0), ("stale", 1)])
def test_ack_names_the_event_that_redis_shows_and_prints_the_result(
    command, show, manager, result, exit_code
):
    answer, commands = manager
    show(RAISED)
    answer(result)

    show(alarm_record("plant/area/f/OVERHEAT"))
    code, out, err = command("alarms", "ack", "f/OVERHEAT", "--comment", "seen", "--user", "li")

    assert (code, err) == (exit_code, "")
    assert f"({result}) as told" in out
    (sent,) = commands
    assert sent.expected_event_id == RAISED.event_id
    assert (sent.command, sent.user, sent.role, sent.comment) == ("ack", "li", "operator", "seen")


@pytest.mark.usefixtures("addressed")
def test_ack_with_an_event_needs_no_redis(command, manager, monkeypatch):
    answer, commands = manager
    monkeypatch.setenv("MELTWATCH_REDIS", "redis://127.0.0.1:9")
    answer("ok")

    code, out, _ = command("alarms", "ack", "f/OVERHEAT", "--event-id", "e" * 32, "--json")

    assert (code, json.loads(out)["code"]) == (0, "ok")
    assert commands[0].expected_event_id == "e" * 32


@pytest.mark.usefixtures("addressed")
def test_without_an_answer_ack_says_that_it_may_still_happen(command, show):
    show(RAISED)

    code, out, err = command("alarms", "ack", "f/OVERHEAT", "--timeout-s", "0.5")

    assert (code, out) == (3, "")
    assert "may still be carried out" in err


@pytest.mark.usefixtures("addressed")
def test_an_alarm_that_nobody_knows_is_bad_usage(command, show):
    show()

    code, _, err = command("alarms", "ack", "f/UNDERHEAT")

    assert code == 2
    assert "f/UNDERHEAT" in err


@pytest.mark.usefixtures("addressed")
def test_a_missing_topic_is_named(command, monkeypatch):
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", "nobodys")

    code, _, err = command("alarms", "list", "--from-kafka")

    assert code == 3
    assert "nobodys.alarms.v1" in err
