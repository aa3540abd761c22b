"""``meltwatch alarms list`` and ``show``, from Redis and from the topic."""

import json
import os
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from kafka import KafkaProducer
from meltwatch_cli.commands import looking
from meltwatch_schemas.alarm import ALARM_SCHEMA, AlarmRecord
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.topics import Topic
from redis import Redis

from tests.integration.cli.alarm_samples import ACKED, NORMAL, OTHER, RAISED, REPLAYED
from tests.support.timed_records import alarm_record
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration

# A process of its own: kafka-python leaves the sockets of a broker that does not answer.
MID_READ = """
import sys
from meltwatch_chassis.kafka import span
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_cli.adapters.kafka_alarms import open_alarm_topics

span._FETCH_BYTES, span._PATIENCE_POLLS = 1024, 5
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


def test_a_broker_that_stops_answering_in_mid_read_is_one_clear_line(kafka, topics, publish):
    publish(*(alarm_record(f"f/{number}", "UNACK") for number in range(1000)))
    command = [sys.executable, "-c", MID_READ, kafka.address, topics.prefix]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout.readline() == "reading\n"
        kafka.freeze()
        try:
            said, _ = reader.communicate("go on\n", timeout=LIMIT_S)
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
def test_blind_furnaces_a_silent_manager_and_an_old_one_have_their_exit_codes(
    command, show, beat, monkeypatch
):
    # Nobody will beat: how long is listened matters where somebody does, below.
    monkeypatch.setattr(looking, "_LISTEN_S", 1.0)
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
def test_a_missing_topic_is_named(command, monkeypatch):
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", "nobodys")

    code, _, err = command("alarms", "list", "--from-kafka")

    assert code == 3
    assert "nobodys.alarms.v1" in err
