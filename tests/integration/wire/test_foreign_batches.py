"""Batches that unpack to gigabytes, or that no client can read, end nothing and hide nothing.

The same batches are judged one by one in ``tests/unit/chassis/test_any_batch.py``.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_cli.adapters.kafka_alarms import AlarmTopics
from meltwatch_local_cluster.screen.observer import TopicFollower
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.alarm_board import MANAGER
from meltwatch_schemas.portrait import SCHEMA as PORTRAIT_SCHEMA
from meltwatch_schemas.portrait import encode_portrait
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import Broker, ManagerProcess
from tests.integration.stream_processor.worker import Tail, Worker, scores_of, send
from tests.support.builders import portrait
from tests.support.foreign_batches import (
    MIB,
    batch_of,
    headed,
    many,
    send_all,
    taken_by_brokers,
)
from tests.support.input_records import live
from tests.support.memory import Peak
from tests.support.servers import Topics
from tests.support.subscriber import Subscriber
from tests.support.timed_records import NOON, alarm_record
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, json_record, score

pytestmark = [pytest.mark.integration, pytest.mark.long]
Command = Callable[..., tuple[int, str, str]]
LONG_S: Final = 120.0
GENEROUS_MIB: Final = 200
"""Beside what the services use anyway; each bomb alone has up to five times as much."""
BATCH: Final = re.compile(r"batch of offsets (\d+)\.\.(\d+): ")


def without_keys() -> list[bytes]:
    return [many(70_000, "zstd"), headed(MIB // 2, "zstd")]


def offsets_told(letters: Iterable[Any], topic: str) -> list[int]:
    """Return the offsets of a topic that dead letters stand for, one by one or as a batch."""
    told: list[int] = []
    for letter in letters:
        said = {name: value.decode() for name, value in letter.headers if name[:4] == "dlq."}
        if said["dlq.topic"] == topic:
            whole = BATCH.match(said["dlq.detail"])
            first, last = map(int, whole.groups()) if whole else (int(said["dlq.offset"]),) * 2
            told += range(first, last + 1)
    return sorted(told)


def furnaces_of_the_first_partition(partitions: int, name: str) -> list[str]:
    names = (f"{name}/F{number}" for number in count())
    return [next(each for each in names if partition_of(each.encode(), partitions) == 0)]


def test_the_stream_processor_reads_on_behind_them(
    kafka: KafkaServer, topics: Topics, triton: TritonServer, tmp_path: Path
) -> None:
    address, prefix = kafka.address, topics.prefix
    inputs = [topics.name(topic) for topic in (Topic.EMBEDDINGS, Topic.CURRENTS)]
    batches = [*taken_by_brokers(), *without_keys()]
    foreign = sum(int.from_bytes(batch[57:61], "big") for batch in batches)
    before, after = (
        furnaces_of_the_first_partition(topics.partitions, name) for name in ("before", "after")
    )

    def worker() -> Worker:
        return Worker(tmp_path, kafka=address, triton=triton.address, topic_prefix=prefix)

    def scored(furnace: str) -> Callable[[list[Any]], bool]:
        return lambda found: any(s.furnace_id == furnace and s.logit for s in scores_of(found))

    with (
        Tail(address, topics.name(Topic.SCORES), topics.partitions) as scores,
        Tail(address, topics.name(Topic.DEAD_LETTERS), 1) as letters,
    ):
        with worker() as first:
            first.until_ready()
            peak = Peak(first.process.pid)
            send_all(address, inputs, batches)
            send_all(address, [topics.name(Topic.PORTRAITS)], taken_by_brokers())
            send(address, prefix, live(before, 12.0))
            scores.until(scored(*before), LONG_S)
            for name in inputs:
                letters.until(lambda found, n=name: len(offsets_told(found, n)) >= foreign, LONG_S)
                assert offsets_told(letters.records, name) == list(range(foreign))
            assert peak.grown_mib() < GENEROUS_MIB
            assert first.process.poll() is None
            assert first.events()["batch_not_read"] >= len(inputs) * 6
        put_portrait(kafka, topics, *after)
        with worker() as second:  # it begins in their midst: windows still needed what stood there
            second.until_ready()
            peak = Peak(second.process.pid)
            send(address, prefix, live(after, 12.0))
            scores.until(scored(*after), LONG_S)
            (name,) = after
            found = [each for each in scores_of(scores.records) if each.furnace_id == name]
            assert all(each.novelty is not None for each in found), "a portrait behind them"
            assert second.events()["portrait_refused"] >= len(taken_by_brokers())
            assert peak.grown_mib() < GENEROUS_MIB


def put_portrait(kafka: KafkaServer, topics: Topics, furnace_id: str) -> None:
    """Write a portrait behind what stands on the topic."""
    value = encode_portrait(portrait(furnace_id=furnace_id))
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        name, headers = topics.name(Topic.PORTRAITS), headers_for(PORTRAIT_SCHEMA)
        producer.send(name, key=furnace_id.encode(), value=value, headers=headers).get(LONG_S)


WITHOUT_COMPACTION: Final = (Topic.SCORES, Topic.ALARM_COMMANDS)
READ_BY_THE_MANAGER: Final = (
    *WITHOUT_COMPACTION,
    Topic.ALARM_POINTS,
    Topic.FURNACE_STATES,
    Topic.ALARMS,
    Topic.ALARM_RESULTS,
    Topic.HEARTBEATS,
)
LOOKED_AT: Final = (Topic.EMBEDDINGS, Topic.DEAD_LETTERS)


def test_the_alarm_manager_reads_on_behind_them(
    kafka: KafkaServer,
    topics: Topics,
    broker: Broker,
    view: Any,
    make_manager: Callable[..., ManagerProcess],
) -> None:
    names = [topics.name(topic) for topic in READ_BY_THE_MANAGER]
    key = f"{topics.prefix}:alarm:{ALARM_ID}"
    foreign = taken_by_brokers()
    with make_manager() as first:
        first.wait_ready()
        peak = Peak(first.pid)
        send_all(kafka.address, names, foreign)
        send_all(kafka.address, names[: len(WITHOUT_COMPACTION)], without_keys())
        broker.send_scores(score(number, 6.0) for number in range(4))
        until(lambda: view.hget(key, "state") == "UNACK", "the alarm in Redis", LONG_S)
        for name in names:
            told = partial(offsets_told, topic=name)
            until(
                lambda of=told: len(of(broker.read(Topic.DEAD_LETTERS))) >= len(foreign),
                f"a letter for each batch of {name}",
                LONG_S,
            )
        assert peak.grown_mib() < GENEROUS_MIB
    with make_manager() as second:  # it reads most of these topics from their beginning
        second.wait_ready()
        peak = Peak(second.pid)
        broker.send_scores(score(number, -6.0) for number in range(4, 20))
        until(lambda: view.hget(key, "state") == "RTNUN", "the end of the alarm", LONG_S)
        assert peak.grown_mib() < GENEROUS_MIB


def test_whoever_looks_reads_on_behind_them(
    kafka: KafkaServer, topics: Topics, broker: Broker, looking: Command, tmp_path: Path
) -> None:
    alarm = alarm_record("f/OVERHEAT", "UNACK", seq=1)
    names = [topics.name(topic) for topic in (*READ_BY_THE_MANAGER, *LOOKED_AT)]
    # Brokers read whole records to find a time, and cannot: what stands first is too large.
    send_all(kafka.address, names, [*taken_by_brokers(), batch_of([b"\xff\xfe"])])
    send_all(kafka.address, [topics.name(topic) for topic in LOOKED_AT], without_keys())
    broker.send(json_record(Topic.ALARMS, alarm, alarm.alarm_id, prefix=topics.prefix))
    peak = Peak()
    span = ("--from", "1970-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")

    code, listed, said = looking("dead-letters", "list", "--json", *span[:2])
    assert code == 0, said
    assert {letter["error"] for letter in json.loads(listed)} == {"unreadable"}
    _, listed, said = looking("alarms", "list", "--json", "--from-kafka")
    assert alarm.alarm_id in listed, said
    code, _, said = looking("record", *span, "--output", str(tmp_path / "saved"), "--json")
    assert code == 0, said
    assert_it_is_followed({"bootstrap_servers": [kafka.address]}, topics.prefix, alarm.alarm_id)
    assert peak.grown_mib() < GENEROUS_MIB

    with Subscriber(kafka.address, topics.prefix) as subscriber:
        peak = Peak(subscriber.process.pid)
        subscriber.until(lambda it: alarm.alarm_id in str(it.lists), "the alarm", LONG_S)
        send_all(kafka.address, names, [*taken_by_brokers(), batch_of([b"\xff\xfe"])])
        beat = Heartbeat(service=MANAGER, epoch=1, seq=1, active_alarms=1, at=NOON, watched=3)
        broker.send(json_record(Topic.HEARTBEATS, beat, MANAGER, prefix=topics.prefix))
        subscriber.until(lambda it: it.alarms, "it to be live", LONG_S)
        assert peak.grown_mib() < GENEROUS_MIB


def assert_it_is_followed(connection: dict[str, Any], prefix: str, alarm_id: str) -> None:
    """Follow the alarms from a time on, as ``alarms tail --since`` and the screen do."""
    with closing(AlarmTopics(connection, prefix).follow(0, lambda: False)) as looks:
        assert any(alarm_id == record.alarm_id for news in looks for record in news.alarms)
    name = Topic.ALARMS.under(prefix)
    with closing(TopicFollower(connection, [name], since_ms=0)) as follower:
        until(
            lambda: alarm_id.encode() in {record.key for record in follower.poll(200)},
            "the alarm on the screen",
            LONG_S,
        )


@pytest.fixture
def looking(
    kafka: KafkaServer, topics: Topics, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    return command
