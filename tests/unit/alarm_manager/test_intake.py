"""Between what is restored and what is judged nothing is lost and nothing belongs to both."""

from contextlib import nullcontext
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

    def pause(self, *_: TopicPartition) -> None:
        pass

    def resume(self, *_: TopicPartition) -> None:
        pass

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
async def test_what_comes_while_a_topic_is_restored_is_judged(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer: Any = Busy(count)
    reader = AsyncReader(consumer)
    monkeypatch.setattr(AsyncReader, "connected", lambda *_, **__: nullcontext(reader))
    intake = KafkaIntake(reader, {}, PREFIX, "group", [Topic.ALARMS], TopicWatch({}))

    restored = offsets([record async for record in intake.whole(Topic.ALARMS)])
    unread = await intake.read_from({ALARMS: None}, {})
    judged = offsets([*await intake.poll(0.0)])

    assert restored == list(range(BEGINNING, BEGINNING + count))
    end = BEGINNING + count
    assert unread[ALARMS].start == end
    assert unread[ALARMS].stop >= end
    assert judged[0] == BEGINNING + count


@pytest.mark.parametrize(
    ("asked", "start"), [(None, BEGINNING + 3), (0, BEGINNING), (99, BEGINNING), (9, 9)]
)
async def test_reading_begins_where_it_may(asked: int | None, start: int) -> None:
    consumer: Any = Busy(3)
    intake = KafkaIntake(AsyncReader(consumer), {}, PREFIX, "group", [Topic.ALARMS], TopicWatch({}))
    assert await intake.read_from({ALARMS: asked}, {}) == {ALARMS: range(start, BEGINNING + 3)}


class Two:
    """A consumer of a partition of scores and one of commands, one record each a poll."""

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    async def beginning_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(parts, 0)

    async def end_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(parts, 20)

    def assign(self, parts: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(parts, 0)

    def seek(self, part: TopicPartition, offset: int) -> None:
        self.positions[part] = offset

    def pause(self, *parts: TopicPartition) -> None:
        self.paused |= set(parts)

    def resume(self, *parts: TopicPartition) -> None:
        self.paused -= set(parts)

    async def position(self, part: TopicPartition) -> int:
        return self.positions[part]

    async def getmany(self, *_: TopicPartition, **_options: Any) -> dict[TopicPartition, list[Any]]:
        found = {}
        for part in self.positions.keys() - self.paused:
            made = record(self.positions[part])
            made.topic = part.topic
            found[part] = [made]
            self.positions[part] += 1
        return found


@pytest.mark.parametrize("judged", [0, 3, 5, 99])
async def test_no_command_comes_before_all_that_was_judged_is_read_again(judged: int) -> None:
    """Of a topic that was made again less may be there than was judged."""
    consumer: Any = Two()
    topics = [Topic.SCORES, Topic.ALARM_COMMANDS]
    intake = KafkaIntake(AsyncReader(consumer), {}, PREFIX, "group", topics, TopicWatch({}))
    scores, commands = (Place(topic, 0) for topic in topics)
    await intake.read_from({scores: 2, commands: 7}, {scores: judged})

    seen = []
    while not any(each.topic == Topic.ALARM_COMMANDS.under(PREFIX) for each in seen):
        seen += await intake.poll(0.0)
        assert len(seen) < 40

    before = [each.offset for each in seen if each.topic == Topic.SCORES.under(PREFIX)]
    first = next(each.offset for each in seen if each.topic != Topic.SCORES.under(PREFIX))
    assert first == 7
    assert before[: min(judged, 20) - 2] == list(range(2, min(judged, 20)))
    assert len(before) <= max(0, min(judged, 20) - 2) + 1
