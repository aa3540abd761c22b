"""Topics are deleted and made again under everybody who reads alarms: nobody stays blind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.alarm_feed import INPUTS, AlarmFeed, AlarmNews, PipelineLink
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import Broker, ManagerProcess, make_again
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, command_fields, command_record, score

pytestmark = [pytest.mark.long, pytest.mark.integration]
REMADE = (
    (Topic.ALARMS,),
    (Topic.SCORES,),
    (Topic.HEARTBEATS, Topic.ALARM_POINTS, Topic.ALARM_COMMANDS, Topic.ALARM_RESULTS),
    tuple(Topic),
)
"""Which are made again at once."""


@asynccontextmanager
async def fed(feed: AlarmFeed, heard: list[AlarmNews]) -> AsyncIterator[None]:
    """Let a feed follow, and keep its news."""

    async def listen() -> None:
        async with aclosing(feed.follow()) as news:
            async for each in news:
                heard[len(heard) :] = [each]

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def eventually(probe: Callable[[], object], what: str | Callable[[], object]) -> None:
    await asyncio.to_thread(until, probe, what)


def newest(broker: Broker) -> AlarmRecord | None:
    return next((r for r in reversed(broker.alarms()) if r.alarm_id == ALARM_ID), None)


@dataclass
class Life:
    """The manager, its readers, and the number of windows that they have had."""

    address: str
    prefix: str
    view: Any
    manager: ManagerProcess
    feed: AlarmFeed
    heard: list[AlarmNews] = field(default_factory=list)
    number: int = 0

    def is_noticed(self, remade: Collection[Topic]) -> bool:
        """Tell whether the manager and the feed have noticed what became of their topics."""
        is_read = bool({*remade} & {*INPUTS})
        by_feed = any(each.is_thinned for each in self.heard) or not is_read
        return by_feed and bool(self.manager.log_lines("topic_replaced"))

    def states(self, broker: Broker) -> set[str | None]:
        """Return in which state the alarm is in the topic, in Redis and for the feed."""
        told = self.feed.board.alarms.get(ALARM_ID)
        record = newest(broker)
        return {
            told and told.state.value,
            record and record.state.value,
            self.view.hget(f"{self.prefix}:alarm:{ALARM_ID}", "state"),
        }

    async def until_states(self, broker: Broker, state: str) -> None:
        await eventually(
            lambda: self.states(broker) == {state},
            lambda: f"{state}, got {self.states(broker)}",
        )

    def send(self, broker: Broker, logit: float) -> None:
        """Send twelve windows."""
        broker.send_scores(score(self.number + n, logit) for n in range(12))
        self.number += 12


@pytest.mark.parametrize("remade", REMADE, ids=lambda topics: f"{len(topics)}-{topics[0]}")
async def test_whichever_topic_is_made_again_alarms_stay_and_are_followed(
    kafka, topics, view, make_manager, remade
):
    """Manager, projector and feed live on; what stood before is acknowledged and cleared after."""
    feed = AlarmFeed(
        {"bootstrap_servers": [kafka.address]}, topics.prefix, (), "opcua", SystemClock()
    )
    with make_manager() as manager:
        life = Life(kafka.address, topics.prefix, view, manager, feed)
        await asyncio.to_thread(manager.wait_ready)
        async with fed(feed, life.heard):
            await an_alarm_outlives_its_topics(life, remade)
    vanished = [turn for each in life.heard for turn in each.turns if turn.after is None]
    assert vanished == [], "what stands was written again"


async def an_alarm_outlives_its_topics(life: Life, remade: Collection[Topic]) -> None:
    broker = Broker(life.address, life.prefix)
    life.send(broker, 6.0)
    await life.until_states(broker, "UNACK")
    before = newest(broker)
    broker.close()

    await asyncio.to_thread(make_again, life.address, life.prefix, remade)
    await eventually(lambda: life.is_noticed(remade), "somebody noticing")
    broker = Broker(life.address, life.prefix)
    await life.until_states(broker, "UNACK")
    after = newest(broker)
    assert before is not None
    assert after is not None
    assert (after.occurrence_id, after.raise_time) == (before.occurrence_id, before.raise_time)
    await eventually(lambda: life.feed.link is PipelineLink.LIVE, "heartbeats")

    order = command_fields("ack", after.event_id)
    broker.send(command_record(order, prefix=life.prefix))
    await life.until_states(broker, "ACKED")
    life.send(broker, -6.0)
    await life.until_states(broker, "NORM")
    await eventually(lambda: gap_is_told(broker), "HISTORY_GAP")
    broker.close()


def gap_is_told(broker: Broker) -> bool:
    return any(each.alarm_id == f"{broker.prefix}/HISTORY_GAP" for each in broker.alarms())
