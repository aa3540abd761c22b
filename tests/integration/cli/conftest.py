"""What ``meltwatch alarms`` reads: records on the topic, a view in Redis, heartbeats."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from meltwatch_schemas.alarm import ALARM_SCHEMA, HEARTBEAT_SCHEMA, AlarmRecord, Heartbeat
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.topics import Topic
from redis import Redis


@pytest.fixture
def addressed(kafka, topics, redis_server, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_REDIS", redis_server.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)


@pytest.fixture
def publish(kafka, topics):
    """Publishes alarm records as the manager does, in a transaction; or leaves it aborted."""
    # Imported late: kafka-python's import warns before pytest is configured.
    from tests.support.standard_producers import until_decided  # noqa: PLC0415

    def send(*records: AlarmRecord, commit: bool = True) -> None:
        with closing(_producer(kafka, transactional_id=topics.prefix)) as producer:
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
        until_decided(kafka.address, [topics.name(Topic.ALARMS)])

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
        with closing(_producer(kafka)) as producer:
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


def _producer(kafka, **options: str):
    from kafka import KafkaProducer  # noqa: PLC0415 - an error before pytest is configured

    return KafkaProducer(bootstrap_servers=kafka.address, **options)
