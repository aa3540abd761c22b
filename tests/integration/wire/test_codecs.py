"""Batches in any codec of Kafka's protocol, from any standard producer, are read everywhere."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.dead_letter import dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_selftest.adapters.kafka_topics import open_topics

from tests.integration.alarm_manager.bench import Broker, ManagerProcess
from tests.integration.stream_processor.worker import Tail, Worker, scores_of
from tests.support.input_records import ORIGIN_NS, live, sample_record
from tests.support.kept_topics import kept_catalogue
from tests.support.servers import Topics
from tests.support.standard_producers import CODECS, every_way, transactional
from tests.support.subscriber import Subscriber
from tests.support.timed_records import alarm_record
from tests.support.waiting import until
from tests.unit.core.alarms.samples import (
    command_fields,
    command_record,
    json_record,
    score,
    score_record,
)

pytestmark = pytest.mark.integration
Command = Callable[..., tuple[int, str, str]]


def records_of(furnace: str, prefix: str) -> list[RawRecord]:
    return [record.at(0, prefix=prefix) for record in live([furnace], 8.0)]


def test_the_stream_processor_reads_every_codec_of_every_producer_and_past_transactions(
    kafka: KafkaServer, topics: Topics, triton: TritonServer, tmp_path: Path
) -> None:
    address, prefix = kafka.address, topics.prefix
    with (
        Tail(address, topics.name(Topic.SCORES), topics.partitions) as scores,
        Worker(
            tmp_path, kafka=address, triton=triton.address, topic_prefix=prefix,
            session_timeout_s=60,  # it shall not be missed on a busy machine
        ) as worker,
    ):  # fmt: skip
        worker.until_ready()
        wanted = {"in-a-transaction", "after-it"}
        transactional(address, prefix, records_of("aborted", prefix), commit=False)
        transactional(address, prefix, records_of("in-a-transaction", prefix), commit=True)
        for name, send in every_way():
            wanted.add(name)
            send(address, records_of(name, prefix))
        send(address, records_of("after-it", prefix))

        def scored(found: list) -> bool:
            verdicts = [s.furnace_id for s in scores_of(found) if s.logit is not None]
            return wanted <= set(verdicts)

        scores.until(scored)
        assert worker.process.poll() is None
        assert worker.events()["partitions_assigned"] == 1


def test_the_alarm_manager_reads_scores_and_answers_commands_in_every_codec(
    kafka: KafkaServer, broker: Broker, make_manager: Callable[..., ManagerProcess]
) -> None:
    prefix = broker.prefix
    with make_manager() as manager:
        manager.wait_ready()
        for name, send in every_way():
            judged = [score(number, 6.0, name) for number in range(4)]
            send(kafka.address, [score_record(made, 0, prefix) for made in judged])
        raised = broker.wait_alarms(2 * len(CODECS))
        for record, (_, send) in zip(raised, every_way(), strict=True):
            order = command_fields("ack", record.event_id, alarm_id=record.alarm_id)
            send(kafka.address, [command_record(order, key=record.alarm_id, prefix=prefix)])
        answers = until(
            lambda: found if len(found := broker.read(Topic.ALARM_RESULTS)) == len(raised) else 0,
            "answers",
        )
        assert {json.loads(answer.value)["code"] for answer in answers} == {"ok"}
        assert len(manager.log_lines("health_served")) == 1


@pytest.fixture(params=CODECS)
def compressed(
    request: pytest.FixtureRequest, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Topics in which the broker keeps everything in one codec, whoever wrote it."""
    prefix = f"t{secrets.token_hex(4)}"
    specs = kept_catalogue(prefix, 1, compression_type=request.param)
    create_topics({"bootstrap_servers": [kafka.address]}, specs)
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", prefix)
    yield prefix
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in specs])


def test_command_backtester_and_example_read_topics_of_every_codec(
    kafka: KafkaServer, compressed: str, command: Command, tmp_path: Path
) -> None:
    alarm = alarm_record("f/OVERHEAT", "UNACK", seq=1)
    refusal = ContractViolation(Refusal.UNEXPECTED_SOURCE, "expected camera, got another")
    refused = sample_record("f", ORIGIN_NS).at(3, prefix=compressed)
    letter = replace(
        refused,
        topic=Topic.DEAD_LETTERS.under(compressed),
        headers=tuple(dead_letter_headers(refused, "stream_processor", refusal)),
    )
    inputs = records_of("f", compressed)
    with closing(Broker(kafka.address, compressed)) as broker:
        broker.send(json_record(Topic.ALARMS, alarm, alarm.alarm_id, prefix=compressed), letter)
        broker.send(*inputs)

    code, listed, said = command("dead-letters", "list", "--json")
    assert (code, len(json.loads(listed))) == (0, 1), said
    _, listed, said = command("alarms", "list", "--json", "--from-kafka")
    assert "f/OVERHEAT" in listed, said
    span = ("--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")
    code, out, said = command("record", *span, "--output", str(tmp_path / "saved"), "--json")
    assert code == 0, said
    kept = json.loads(out)["records"]
    assert kept["embeddings"] + kept["currents"] == len(inputs)
    with Subscriber(kafka.address, compressed) as subscriber:
        subscriber.until(lambda it: "f/OVERHEAT" in str(it.lists), "the alarm")


def test_the_selftest_reads_topics_of_every_codec(kafka: KafkaServer, compressed: str) -> None:
    alarm, judged = alarm_record("f/OVERHEAT", "UNACK", seq=1), score(1, 6.0, "f")
    result = CommandResult(
        command_id=None,
        alarm_id="f/OVERHEAT",
        result="done",
        code="ok",
        detail="",
        at=alarm.raise_time,
    )
    written = [
        score_record(judged, 0, compressed),
        json_record(Topic.ALARMS, alarm, alarm.alarm_id, prefix=compressed),
        json_record(Topic.ALARM_RESULTS, result, alarm.alarm_id, prefix=compressed),
    ]
    found: list[RawRecord] = []

    def all_of_it() -> bool:
        found.extend(read.collect())
        return len(found) == len(written)

    connection = {"bootstrap_servers": [kafka.address]}
    with (
        open_topics(connection, compressed, "f", alarm.alarm_id) as read,
        closing(Broker(kafka.address, compressed)) as broker,
    ):
        broker.send(*written)
        until(all_of_it, "what was written")
    assert {record.value for record in found} == {record.value for record in written}
