"""What any adapter is told of a real alarm manager, and what it can say to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, AlarmNews, PipelineLink
from meltwatch_schemas.alarm import AlarmCommand, ResultCode, Role
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import ALARM_ID, score

pytestmark = pytest.mark.integration
LIMIT_S = 60.0


def feed_of(address: str, prefix: str) -> AlarmFeed:
    return AlarmFeed({"bootstrap_servers": [address]}, prefix, (), "bench", SystemClock())


async def told(news: AsyncIterator[AlarmNews], wanted: Callable[[AlarmNews], object]) -> AlarmNews:
    async with asyncio.timeout(LIMIT_S):
        async for each in news:
            if wanted(each):
                return each
    raise AssertionError("an end of what never ends")


def ack(event_id: str) -> AlarmCommand:
    return AlarmCommand(
        command_id=str(uuid4()), alarm_id=ALARM_ID, command="ack", expected_event_id=event_id,
        user="li.wei", role=Role.OPERATOR, issued_at=datetime.now(UTC),
    )  # fmt: skip


async def test_an_adapter_that_comes_late_knows_and_acknowledges_and_hears_silence(
    kafka, broker, make_manager
):
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (raised,) = broker.wait_alarms(1)
        feed = feed_of(kafka.address, broker.prefix)
        async with aclosing(feed.follow()) as news:
            first = await told(news, lambda each: each.turns)
            assert first.is_history
            assert dict(feed.board.alarms) == {ALARM_ID: raised}
            live = await told(news, lambda each: each.link is PipelineLink.LIVE)
            assert not live.turns

            silence = asyncio.create_task(told(news, lambda each: each.link is PipelineLink.DOWN))
            answer = await feed.ask(ack(raised.event_id), LIMIT_S)
            assert answer is not None
            assert answer.code is ResultCode.OK
            await feed.note_delivery(
                AlarmReceipt(
                    alarm_id=ALARM_ID, event_id=raised.event_id, adapter="bench",
                    delivered_at=datetime.now(UTC), status="delivered",
                )
            )  # fmt: skip
            (receipt,) = broker.read(Topic.ALARM_RECEIPTS)
            assert json.loads(receipt.value)["event_id"] == raised.event_id
            _, acked = broker.wait_alarms(2)
            assert (acked.transition.by, acked.transition.via) == ("li.wei", "bench")

            manager.kill()
            assert await feed.ask(ack(raised.event_id), 0.5) is None, "nobody is there to answer"
            await silence
            assert feed.board.alarms[ALARM_ID].state == "ACKED", "silence clears nothing"
