"""A record that the client itself cannot read stops neither the manager nor the projection."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import until
from tests.unit.alarm_manager.samples import ALARM_ID, score

pytestmark = pytest.mark.integration


class BadName(str):
    """The name of a header in bytes that are no UTF-8: Kafka takes any."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """Give bytes that no reader of UTF-8 takes."""
        return b"\xff\xfe"


async def send_bad_names(address: str, *topics: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for topic in topics:
            batch: BatchBuilder = producer.create_batch()
            batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, 0, 100_000)
            for number in range(3):
                headers = [(BadName("x"), b"1")] if number == 1 else []
                batch.append(timestamp=None, key=b"k", value=b"v", headers=headers)
            await (await producer.send_batch(batch, topic, partition=0))


def test_header_names_in_any_bytes_end_nothing(kafka, broker, topics, view, make_manager):
    names = [topics.name(topic) for topic in (Topic.SCORES, Topic.ALARM_COMMANDS, Topic.ALARMS)]
    with make_manager() as manager:
        manager.wait_ready()
        asyncio.run(send_bad_names(kafka.address, *names))
        broker.send_scores(score(number, 6.0) for number in range(4))
        key = f"{broker.prefix}:alarm:{ALARM_ID}"
        until(lambda: view.hget(key, "state") == "UNACK", "the alarm in Redis", 90.0)
        lines = manager.log_lines("record_unreadable")
        assert {line["topic"] for line in lines} == set(names)
        wanted = {(name, offset) for name in names for offset in range(3)}
        until(lambda: letters(broker) >= wanted, "dead letters", 60.0)
        assert len(manager.log_lines("reign_began")) < 10
    values = [record.value for record in broker.read(Topic.DEAD_LETTERS)]
    assert values
    assert AlarmRecord.from_json(view.hget(key, "record").encode()).state == "UNACK"


def letters(broker) -> set[tuple[str, int]]:
    headers = [dict(letter.headers) for letter in broker.read(Topic.DEAD_LETTERS)]
    return {(h["dlq.topic"].decode(), int(h["dlq.offset"])) for h in headers}
