"""What any adapter is told of a real alarm manager, and what it can say to it."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, AlarmNews, PipelineLink
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand, ResultCode, Role
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import Broker
from tests.support.waiting import LIMIT_S, until
from tests.unit.core.alarms.samples import ALARM_ID, command_fields, command_record, score

pytestmark = pytest.mark.integration
DAY_S = 24 * 3600


class LeapingClock(SystemClock):
    """The machine's clock, ahead by as much as the test says."""

    ahead_s = 0

    def monotonic_ns(self) -> int:
        """Return the time, and what was leapt over."""
        return super().monotonic_ns() + self.ahead_s * 10**9


def feed_of(address: str, prefix: str, clock: SystemClock | None = None) -> AlarmFeed:
    connection = {"bootstrap_servers": [address]}
    return AlarmFeed(connection, prefix, (), "opcua", clock or SystemClock())


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

            def is_acked(_: AlarmNews) -> bool:
                return feed.board.alarms[ALARM_ID].state == "ACKED"

            acknowledged = asyncio.create_task(told(news, is_acked))
            answer = await feed.ask(ack(raised.event_id), LIMIT_S)
            assert answer is not None
            assert answer.code is ResultCode.OK
            await feed.note_delivery(
                AlarmReceipt(
                    alarm_id=ALARM_ID, event_id=raised.event_id, adapter="opcua",
                    delivered_at=datetime.now(UTC), status="delivered",
                )
            )  # fmt: skip
            (receipt,) = broker.read(Topic.ALARM_RECEIPTS)
            assert json.loads(receipt.value)["event_id"] == raised.event_id
            _, acked = broker.wait_alarms(2)
            assert (acked.transition.by, acked.transition.via) == ("li.wei", "opcua")
            await acknowledged

            manager.kill()
            silence = asyncio.create_task(told(news, lambda each: each.link is PipelineLink.DOWN))
            assert await feed.ask(ack(raised.event_id), 0.5) is None, "nobody is there to answer"
            await silence
            assert feed.board.alarms[ALARM_ID].state == "ACKED", "silence clears nothing"


async def test_who_comes_after_the_broker_has_compacted_the_topic_has_the_managers_list(
    kafka, broker, make_manager
):
    prefix = broker.prefix
    compact_at_once(kafka.address, Topic.ALARMS.under(prefix))
    other = "a/b/F2"
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(n, 6.0) for n in range(4))
        broker.send_scores(score(n, 6.0, other) for n in range(4))
        raised = {record.alarm_id: record for record in broker.wait_alarms(2)}
        event_id = raised[ALARM_ID].event_id
        for number in range(3):
            order = command_fields("comment", comment=f"look {number}")
            broker.send(command_record(order, prefix=prefix))
        broker.send(command_record(command_fields("ack", event_id), prefix=prefix))
        broker.send_scores(score(n, -6.0, other) for n in range(4, 16))
        written = broker.wait_alarms(7)

        def is_compacted() -> bool:
            # Only what is behind the newest segment is compacted: a further record begins one.
            broker.send(command_record(command_fields("comment"), prefix=prefix))
            keys = [record.alarm_id for record in anew(kafka.address, prefix)]
            return len(keys) < len(written) and keys.count(f"{other}/OVERHEAT") == 1

        await asyncio.to_thread(until, is_compacted, "the broker to compact", 180.0, 2.0)
        feed = feed_of(kafka.address, prefix)
        async with aclosing(feed.follow()) as news:
            await told(news, lambda each: each.link is PipelineLink.LIVE)
        assert {name: each.state.value for name, each in feed.board.alarms.items()} == {
            ALARM_ID: "ACKED",
            f"{other}/OVERHEAT": "RTNUN",
        }
        fold = {record.alarm_id: record for record in broker.alarms()}
        assert feed.board.alarms[f"{other}/OVERHEAT"] == fold[f"{other}/OVERHEAT"]


def compact_at_once(address: str, topic: str) -> None:
    """Let the broker do in seconds what it does after a week."""
    hurry = {
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": "1",
        "segment.ms": "500",
        "min.cleanable.dirty.ratio": "0.001",
    }
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=hurry)])


def anew(address: str, prefix: str) -> list[AlarmRecord]:
    """Return what the topic has now, to who begins at its beginning."""
    reader = Broker(address, prefix)
    try:
        return reader.alarms()
    finally:
        reader.close()


@pytest.mark.long
async def test_a_broker_away_clears_nothing_and_after_days_the_list_is_read_anew_and_that_is_said(
    kafka, broker, make_manager
):
    """After three days it goes on where it was; after eight the topic has not kept everything."""
    clock = LeapingClock()
    feed = feed_of(kafka.address, broker.prefix, clock)
    with make_manager() as manager:
        await asyncio.to_thread(manager.wait_ready)
        broker.send_scores(score(n, 6.0) for n in range(4))
        (raised,) = broker.wait_alarms(1)
        async with aclosing(feed.follow()) as news:
            await told(news, lambda each: each.link is PipelineLink.LIVE)
            for days, is_thinned in ((3, False), (8, True)):
                heard = await while_frozen(kafka, clock, news, days * DAY_S)
                assert [turn for each in heard for turn in each.turns] == [], "a phantom"
                assert feed.board.alarms == {ALARM_ID: raised}
                assert any(each.is_thinned for each in heard) is is_thinned
            broker.send_scores(score(n, -6.0) for n in range(4, 16))
            await told(news, lambda each: each.turns)
            assert feed.board.alarms[ALARM_ID].state == "RTNUN"
    # kafka-python leaves sockets to the garbage collector when it finds no broker.
    await asyncio.get_running_loop().shutdown_default_executor()
    gc.collect()


async def while_frozen(kafka, clock, news, leap_s: int) -> list[AlarmNews]:
    """Freeze the broker until it is told, leap over a time, thaw it; return all news until live."""
    heard: list[AlarmNews] = []

    def is_link(link: PipelineLink) -> Callable[[AlarmNews], bool]:
        def noted(each: AlarmNews) -> bool:
            heard.append(each)
            return each.link is link

        return noted

    kafka.freeze()
    try:
        await told(news, is_link(PipelineLink.DOWN))
        clock.ahead_s += leap_s
    finally:
        kafka.thaw()
    await told(news, is_link(PipelineLink.LIVE))
    return heard
