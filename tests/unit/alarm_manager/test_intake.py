"""Between what is restored and what is judged nothing is lost and nothing belongs to both."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from meltwatch_alarm_manager.adapters.kafka_intake import KafkaIntake
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.topic_watch import TopicWatch
from meltwatch_core.alarms.ports import Place
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

PREFIX = "plant"
BEGINNING = 7
AT_ONCE = 4
ALARMS = Place(Topic.ALARMS, 0)
PART = TopicPartition(Topic.ALARMS.under(PREFIX), 0)


class Busy:
    """A consumer of one partition, to which somebody writes with each look at it."""

    def __init__(self, count: int) -> None:
        self._end = BEGINNING + count
        self._position = 0

    async def beginning_offsets(self, _: Any) -> dict[TopicPartition, int]:
        return {PART: BEGINNING}

    async def end_offsets(self, _: Any) -> dict[TopicPartition, int]:
        return {PART: self._end}

    def assign(self, parts: list[TopicPartition]) -> None:
        assert parts == [PART]

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        return self._position

    async def getmany(self, *_: TopicPartition, **_options: Any) -> dict[TopicPartition, list[Any]]:
        self._end += 1
        start = self._position
        self._position = min(self._end, start + AT_ONCE)
        return {PART: [record(offset) for offset in range(start, self._position)]}


def record(offset: int) -> Any:
    return SimpleNamespace(
        topic=PART.topic, partition=0, offset=offset, timestamp=0, key=None, value=b"", headers=()
    )


def offsets(records: list[RawRecord]) -> list[int]:
    return [record.offset for record in records]


@pytest.mark.parametrize("count", range(2 * AT_ONCE))
async def test_what_comes_while_a_topic_is_restored_is_judged(count: int) -> None:
    consumer: Any = Busy(count)
    intake = KafkaIntake(AsyncReader(consumer), {}, PREFIX, "group", [Topic.ALARMS], TopicWatch({}))

    restored = offsets([record async for record in intake.whole(Topic.ALARMS)])
    starts = await intake.read_from({ALARMS: None})
    judged = offsets([*await intake.poll(0.0)])

    assert restored == list(range(BEGINNING, BEGINNING + count))
    assert starts == {ALARMS: BEGINNING + count}
    assert judged[0] == BEGINNING + count


@pytest.mark.parametrize(
    ("asked", "start"), [(None, BEGINNING + 3), (0, BEGINNING), (99, BEGINNING), (9, 9)]
)
async def test_reading_begins_where_it_may(asked: int | None, start: int) -> None:
    consumer: Any = Busy(3)
    intake = KafkaIntake(AsyncReader(consumer), {}, PREFIX, "group", [Topic.ALARMS], TopicWatch({}))
    assert await intake.read_from({ALARMS: asked}) == {ALARMS: start}
