"""``meltwatch alarms journal`` and ``report`` on a real broker: transactions, ids, a topic anew."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from meltwatch_backtester.adapters.journal_folder import JournalFolder
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_schemas.alarm import ALARM_SCHEMA, AlarmRecord
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.topics import Topic, catalogue
from meltwatch_schemas.window import NS_PER_S

from tests.support.standard_producers import until_decided
from tests.support.timed_records import alarm_record
from tests.support.waiting import until
from tests.unit.core.alarms.kpi.story import Story, at_ns, name

pytestmark = pytest.mark.integration

A, B = name(1), name(2)


@pytest.fixture
def addressed(kafka, topics, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)


def publish(kafka, topics, *records: AlarmRecord, commit: bool = True) -> None:
    """Write alarm records as the manager does, in a transaction."""
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
                timestamp_ms=round(record.times.published.timestamp() * 1000),
            )
        producer.flush()
        producer.commit_transaction() if commit else producer.abort_transaction()
    until_decided(kafka.address, [topics.name(Topic.ALARMS)])


def kept_in(folder: Path) -> list[tuple[str, int]]:
    kept = JournalFolder(folder)
    far = at_ns(100 * 86_400)
    return [(each.alarm_id, each.life) for each in kept.alarms(kept.volumes(Topic.ALARMS), 0, far)]


@pytest.mark.usefixtures("addressed")
def test_runs_add_what_is_new_and_a_topic_made_again_is_another_life(
    command, kafka, topics, tmp_path
):
    story = Story().raises(A, 0).acks(A, 10).clears(A, 20)
    publish(kafka, topics, *story.records[:2])
    publish(kafka, topics, alarm_record(B), commit=False)
    code, said, error = command("alarms", "journal", str(tmp_path), "--json")
    assert (code, error) == (0, "")
    assert {each["topic"]: each["records"] for each in json.loads(said)} == {
        "alarms": 2,
        "alarm-commands": 0,
        "alarm-results": 0,
        "alarm-points": 0,
    }
    publish(kafka, topics, story.records[2])
    code, said, _ = command("alarms", "journal", str(tmp_path))
    assert (code, said.splitlines()[0]) == (0, "alarms: 1 record added, up to offset 7")
    assert kept_in(tmp_path) == [(A, 0)] * 3

    (spec,) = (s for s in catalogue(topics.prefix, topics.partitions) if s.topic is Topic.ALARMS)
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name])
        until(lambda: spec.name not in admin.list_topics(), lambda: f"{spec.name} is there")
    create_topics({"bootstrap_servers": [kafka.address]}, [spec])
    publish(kafka, topics, *Story().raises(B, 100).records)
    code, _, error = command("alarms", "journal", str(tmp_path))
    assert code == 0
    assert "the topic was made again" in error
    assert kept_in(tmp_path) == [(A, 0), (A, 0), (A, 0), (B, 1)]


@pytest.mark.usefixtures("addressed")
def test_without_a_journal_the_report_tells_what_kafka_has(command, kafka, topics):
    publish(kafka, topics, *Story().raises(A, 0).acks(A, 10).clears(A, 20).records)
    asked = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")
    code, said, error = command("alarms", "report", *asked, "--json")
    document = json.loads(said) if code == 0 else {}
    # Kafka may have dropped what is older than seven days, so that is not told as if it were whole.
    assert (code, document) == (2, {})
    assert "expected alarms of 2026-03-01" in error
    publish(kafka, topics, *recent())
    code, said, _ = command("alarms", "report", "--from", "1h", "--json")
    assert (code, json.loads(said)["figures"]["annunciations"]["value"]) == (0, 1)


def recent() -> list[AlarmRecord]:
    """One alarm of ten minutes ago."""
    second = (SystemClock().now_ns() - at_ns(600)) / NS_PER_S
    return Story().raises(B, second, epoch=2).records


def test_no_broker_is_one_line(command, monkeypatch, tmp_path):
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
    for arguments in (("journal", str(tmp_path)), ("report",)):
        code, out, error = command("alarms", *arguments)
        assert (code, out, error.count("\n")) == (3, "", 1)
