"""How a client stops harms nobody who asked it, and how a reader rests."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from meltwatch_chassis.kafka import async_consumers
from meltwatch_chassis.kafka.async_consumers import AsyncReader


class StopsBadly:
    """A consumer whose broker is away when it stops."""

    outcome: type[BaseException] = asyncio.CancelledError

    def __init__(self, **_: object) -> None:
        self.is_stopped = False

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.is_stopped = True
        raise self.outcome


@pytest.mark.parametrize("outcome", [asyncio.CancelledError, OSError])
async def test_how_a_reader_stops_is_not_how_the_reading_went(
    monkeypatch: pytest.MonkeyPatch, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(StopsBadly, "outcome", outcome)
    monkeypatch.setattr(async_consumers, "AIOKafkaConsumer", StopsBadly)
    async with AsyncReader.connected({}) as reader:
        pass
    assert reader._consumer.is_stopped


class Trickle:
    """A consumer of two partitions to which a record comes with each look."""

    def __init__(self) -> None:
        self.parts = {TopicPartition("t", 0), TopicPartition("t", 1)}
        self.resting: set[TopicPartition] = set()
        self.each = 1
        self.looks: list[float] = []

    def assign(self, _: object) -> None:
        """Begin to read."""

    def seek(self, *_: object) -> None:
        """Begin there."""

    def assignment(self) -> set[TopicPartition]:
        return set(self.parts)

    def paused(self) -> set[TopicPartition]:
        return set(self.resting)

    def pause(self, *parts: TopicPartition) -> None:
        self.resting |= set(parts)

    def resume(self, *parts: TopicPartition) -> None:
        self.resting -= set(parts)

    async def getmany(self, **_: object) -> dict[TopicPartition, list[object]]:
        self.looks.append(asyncio.get_running_loop().time())
        part = min(self.parts - self.resting)
        record = SimpleNamespace(
            topic="t", partition=0, offset=0, timestamp=0, key=None, value=b"", headers=()
        )
        return {part: [record] * self.each}


async def test_after_an_answer_a_reader_rests_so_that_what_comes_meanwhile_comes_together() -> None:
    consumer = Trickle()
    reader = AsyncReader(consumer, rest_s=0.02)
    for _ in range(4):
        assert len(await reader.poll(0.0, most=10)) == 1
        assert consumer.resting == consumer.parts, "nothing is fetched"
    pauses = [later - sooner for sooner, later in pairwise(consumer.looks)]
    assert min(pauses) >= 0.02


@pytest.mark.parametrize("each", [0, 10])
async def test_a_reader_does_not_rest_where_nothing_came_or_more_may_wait(each: int) -> None:
    consumer = Trickle()
    consumer.each = each
    reader = AsyncReader(consumer, rest_s=1000.0)
    for _ in range(3):
        assert len(await reader.poll(0.0, most=10)) == each
        assert not consumer.resting


async def test_what_somebody_has_paused_stays_so_when_the_rest_is_over() -> None:
    consumer = Trickle()
    reader = AsyncReader(consumer, rest_s=0.01)
    reader.pause([("t", 1)])
    await reader.poll(0.0, most=10)
    await reader.poll(0.0, most=10)
    reader.pause([("t", 0)])
    consumer.parts.add(TopicPartition("t", 2))
    await reader.poll(0.0, most=10)
    assert {TopicPartition("t", 0), TopicPartition("t", 1)} <= consumer.resting
