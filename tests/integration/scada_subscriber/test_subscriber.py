"""``examples/scada_subscriber.py`` beside the real broker, Redis and alarm manager."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, RedisServer
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.topics import Topic
from redis import Redis

from tests.integration.alarm_manager.bench import Broker, ManagerProcess, make_again
from tests.support.kept_topics import kept_catalogue
from tests.support.servers import Topics
from tests.support.subscriber import PROGRAM, Subscriber
from tests.support.timed_records import NOON, alarm_record
from tests.support.waiting import LIMIT_S, until
from tests.unit.core.alarms.samples import score

pytestmark = pytest.mark.integration
PREFIX = "scada"
Alarms = list[dict[str, Any]]
Command = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Plant:
    """A broker of its own and a Redis, with an alarm manager beside them."""

    kafka: KafkaServer
    redis: RedisServer
    command: Command

    def subscriber(self, *arguments: str) -> Subscriber:
        return Subscriber(self.kafka.address, PREFIX, *arguments)

    def judge(self, logit: float, *furnaces: str, since: int = 0) -> None:
        """Score so many windows that the alarm of each furnace changes."""
        numbers = range(since, since + 10)
        with closing(Broker(self.kafka.address, PREFIX)) as broker:
            broker.send_scores(score(n, logit, name) for n in numbers for name in furnaces)

    def in_redis(self) -> dict[str, dict[str, Any]]:
        """Return the records that Redis holds of alarms that an operator must see."""
        with Redis.from_url(self.redis.address, decode_responses=True) as view:
            keys = view.zrange(f"{PREFIX}:active", 0, -1) + list(view.smembers(f"{PREFIX}:unacked"))
            return {key: json.loads(view.hget(f"{PREFIX}:alarm:{key}", "record")) for key in keys}

    def in_command(self) -> tuple[bool, Alarms]:
        """Return whether ``meltwatch alarms list --json`` is current, and what it prints."""
        code, listed, said = self.command("alarms", "list", "--json")
        # The scores are of fixed dates: their furnaces may be blind.
        assert code in (0, 1, 3), said
        return code != 3, json.loads(listed)


@pytest.fixture
def plant(
    tmp_path: Path,
    redis_server: RedisServer,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Plant]:
    with KafkaServer(tmp_path / "kafka") as kafka:
        # The scores are of fixed dates.
        specs = kept_catalogue(PREFIX, 3)
        create_topics({"bootstrap_servers": [kafka.address]}, specs)
        settings = {"kafka": kafka.address, "redis": redis_server.address, "topic_prefix": PREFIX}
        for name, value in settings.items():
            monkeypatch.setenv(f"MELTWATCH_{name.upper()}", value)
        with ManagerProcess(tmp_path / "manager.log", **settings):
            yield Plant(kafka, redis_server, command)


def states(alarms: Alarms | None) -> dict[str, str] | None:
    return None if alarms is None else {each["alarm_id"]: each["state"] for each in alarms}


def agreed(plant: Plant, subscriber: Subscriber, expected: dict[str, str]) -> Alarms:
    """Wait for a list, hold it against Redis and the command, and return it."""
    alarms = subscriber.until(
        lambda it: it.alarms if states(it.alarms) == expected else None, f"{expected}"
    )
    until(lambda: plant.in_redis() == {each["alarm_id"]: each for each in alarms}, "Redis alike")
    until(lambda: plant.in_command() == (True, alarms), plant.in_command)
    return alarms


@pytest.mark.long
def test_its_list_survives_the_broker_and_itself_and_shows_its_acknowledgement(plant):
    first, second, third = (f"demo/F{number}/OVERHEAT" for number in (1, 2, 3))
    with plant.subscriber() as subscriber:
        plant.judge(6.0, "demo/F1", "demo/F2")
        agreed(plant, subscriber, {first: "UNACK", second: "UNACK"})

        plant.kafka.kill()
        plant.kafka.start()
        plant.kafka.wait_ready()

        plant.judge(6.0, "demo/F3")
        plant.judge(-6.0, "demo/F2", since=10)
        expected = {first: "UNACK", second: "RTNUN", third: "UNACK"}
        before = agreed(plant, subscriber, expected)

    with plant.subscriber("--ack", first) as again:
        (result,) = again.until(lambda it: it.results, "the answer")
        assert next(it["alarms"] for it in again.lists if it["live"]) == before
        *_, acked = after = agreed(plant, again, expected | {first: "ACKED"})
        assert (result["code"], result["event_id"]) == ("ok", acked["event_id"])
        assert (acked["alarm_id"], acked["ack_by"]) == (first, "scada")

        plant.kafka.kill()
        again.until(lambda it: it.alarms is None, "it to say that it hears nothing")
        assert (again.lists[-1]["live"], again.lists[-1]["alarms"]) == (False, after)


@dataclass(frozen=True)
class Writer:
    """Writes what the alarm manager writes."""

    producer: KafkaProducer
    prefix: str

    def send(self, topic: Topic, key: str, message: KeyedMessage | None) -> None:
        self.producer.send(
            topic.under(self.prefix),
            key=key.encode(),
            value=message.to_json() if message else None,
            headers=headers_for(message.schema_id if message else "alarm/1.0", JSON),
        ).get(LIMIT_S)

    def alarms(self, *records: AlarmRecord) -> None:
        for record in records:
            self.send(Topic.ALARMS, record.alarm_id, record)

    def heartbeat(self, service: str, epoch: int = 1) -> None:
        message = Heartbeat(
            service=service, epoch=epoch, seq=1, active_alarms=1, at=NOON, watched=3, blind=1
        )
        self.send(Topic.HEARTBEATS, service, message)


@pytest.fixture
def writer(kafka: KafkaServer, topics: Topics) -> Iterator[Writer]:
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        yield Writer(producer, topics.prefix)


@contextmanager
def beating(writer: Writer) -> Iterator[None]:
    over = threading.Event()

    def beat() -> None:
        while not over.wait(1.0):
            writer.heartbeat("alarm_manager")

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


EVIL = "\x1b]0;owned\x07\x1b[2J\r\n  UNACK  critical  forged\u202e"


def test_it_says_who_is_watched_and_shows_nothing_raw(kafka, topics, writer):
    alarm = alarm_record("f/evil")
    writer.alarms(alarm.model_copy(update={"message": EVIL, "title": EVIL}))
    for key, value in (
        (b"x", b"["),
        (b"y", b"[" * 50_000),
        (b"z", b'{"epoch": "x"}'),
        (b"\xff", b"5"),
    ):
        for topic in (Topic.ALARMS, Topic.HEARTBEATS):
            writer.producer.send(topics.name(topic), key=key, value=value).get(LIMIT_S)
    argv = [sys.executable, PROGRAM, kafka.address, "--prefix", topics.prefix]
    with (
        beating(writer),
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            said = iter(process.stdout.readline, "")
            live = next(line for line in said if line.startswith("live: ") and "alarms 1" in line)
            lines = [live, next(said)]
        finally:
            process.kill()
    assert lines[0] == "live: furnaces 3 watched, 1 blind; alarms 1\n"
    assert lines[1].startswith("  UNACK  high ")
    assert "\\x1b]0;owned\\x07" in lines[1]
    assert is_printable(lines[1].removesuffix("\n"))


def test_without_a_broker_it_ends_with_one_line():
    argv = [sys.executable, PROGRAM, "127.0.0.1:1"]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LIMIT_S)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("expected Kafka at 127.0.0.1:1 ")


def names(alarms: Alarms | None) -> list[str]:
    return [each["alarm_id"] for each in alarms or ()]


def test_it_lists_the_newest_record_of_each_alarm_that_an_operator_must_see(kafka, topics, writer):
    early, late = (alarm_record(f"f/{name}", raised_s=s) for name, s in (("early", 1), ("late", 9)))
    normal = alarm_record("f/normal", "NORM", acked=True, retain=False)
    replayed = alarm_record("f/replayed", run_id="r1")
    writer.alarms(
        late,
        alarm_record("f/minor", priority="low", severity=300, raised_s=50),
        alarm_record("f/acked", "ACKED", severity=900),
        normal,
        replayed,
        alarm_record("f/gone"),
    )
    writer.send(Topic.ALARMS, "f/gone", None)
    with Subscriber(kafka.address, topics.prefix) as subscriber:
        subscriber.until(lambda it: it.lists, "a list")
        writer.heartbeat("another_service")
        writer.alarms(early)
        expected = ["f/late", "f/early", "f/minor", "f/acked"]
        subscriber.until(lambda it: names(it.lists[-1]["alarms"]) == expected, "the list")
        assert not any(it["live"] for it in subscriber.lists)
        with beating(writer):
            assert names(subscriber.until(lambda it: it.alarms, "it to be live")) == expected

            writer.alarms(alarm_record("f/late", "ACKED", epoch=2, seq=1, raised_s=9))
            writer.alarms(late.model_copy(update={"seq": 99}), early, replayed, normal)
            writer.alarms(alarm_record("f/normal", seq=2, raised_s=70))
            listed = subscriber.until(lambda it: len(it.alarms or ()) == 5 and it.alarms, "all")
        assert names(listed) == ["f/normal", "f/early", "f/minor", "f/acked", "f/late"]


def test_topics_made_again_are_read_from_their_beginning(kafka, topics, writer):
    writer.alarms(alarm_record("f/old", epoch=7))
    with Subscriber(kafka.address, topics.prefix) as subscriber:
        subscriber.until(lambda it: it.lists, "a list")
        writer.heartbeat("alarm_manager", epoch=7)
        subscriber.until(lambda it: names(it.alarms) == ["f/old"], "the first topics")
        make_again(kafka.address, topics.prefix, (Topic.ALARMS, Topic.HEARTBEATS))
        # So many that an offset of before names the middle.
        writer.alarms(*(alarm_record(f"f/{each}", raised_s=each) for each in range(5)))
        newly = [f"f/{each}" for each in range(4, -1, -1)]

        def read_anew(it: Subscriber) -> bool:
            writer.heartbeat("alarm_manager")
            return names(it.alarms) == newly

        subscriber.until(read_anew, "the new topics", 120.0)
