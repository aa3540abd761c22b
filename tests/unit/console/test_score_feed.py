"""Where the reading of scores begins; the topic itself is read in tests/integration/console."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.adapters import kafka_scores
from meltwatch_console.adapters.kafka_scores import ScoreFeed
from meltwatch_console.adapters.read_counts import ReadCounts
from meltwatch_schemas.record import RawRecord

from tests.support.leaping_loop import LeapingLoop, leap

PARTS = [("t.scores.v1", number) for number in range(3)]


class BrokerThatFails:
    """Fails once, at the question about a partition; then it answers."""

    def __init__(self, failing: int) -> None:
        self.failing: int | None = failing
        self.followed: list[set[tuple[str, int]]] = []

    async def ends(self, parts: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return dict.fromkeys(parts, 10)

    async def offset_near(self, topic: str, partition: int, time_ms: int) -> int | None:
        if partition == self.failing:
            self.failing = None
            raise TransientError("asking for a time: it is away")
        return None

    def follow(self, starts: Mapping[tuple[str, int], int]) -> None:
        self.followed.append(set(starts))

    async def read(self, topic: str, partition: int, offsets: range) -> AsyncIterator[RawRecord]:
        return
        yield

    async def poll(self, timeout_s: float, most: int) -> list[RawRecord]:
        await asyncio.sleep(10)
        return []


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failure_while_it_looks_where_to_begin_leaves_no_partition_out(monkeypatch, failing):
    broker = BrokerThatFails(failing)

    @asynccontextmanager
    async def connected(*_: object, **__: object) -> AsyncIterator[BrokerThatFails]:
        yield broker

    async def partitions_of(*_: object) -> list[tuple[str, int]]:
        return PARTS

    monkeypatch.setattr(kafka_scores.AsyncReader, "connected", connected)
    monkeypatch.setattr(kafka_scores, "administration", connected)
    monkeypatch.setattr(kafka_scores, "partitions_of", partitions_of)
    monkeypatch.setattr(kafka_scores, "_PAUSE_S", 0.0)
    counts = ReadCounts(Metrics(), "t")
    feed = ScoreFeed({}, "t", lambda _: None, counts, ManualClock(10**18))

    async def follow() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(feed.follow(), 0.5)

    leap(LeapingLoop(), follow())

    assert broker.followed[-1] == set(PARTS)
