"""The broker freezes, and is killed, under the OPC UA server: that is told and clears nothing."""

import asyncio
import time

import pytest
from asyncua import ua
from meltwatch_local_cluster.servers import KafkaServer

from tests.integration.alarm_manager.bench import Broker
from tests.integration.scada_adapter.bench import (
    CONDITION_ID,
    acknowledge,
    is_of,
    live_session,
    once,
    once_live,
    subscribed,
)
from tests.support.promise import ProcessorWaits
from tests.support.servers import fresh_topics
from tests.support.waiting import LIMIT_S
from tests.unit.core.alarms.samples import ALARM_ID, score

pytestmark = [pytest.mark.long, pytest.mark.integration]
WITHIN_S = 15.0
UNCERTAIN = {ua.StatusCodes.UncertainLastUsableValue}
SLOW_MACHINE_S = 15.0
NAMES = ("ActiveState/Id", "AckedState/Id", "Retain", "EventId")


@pytest.fixture
def own_kafka(tmp_path):
    """It is broken: nobody else may stand on it."""
    with KafkaServer(tmp_path / "kafka") as server:
        yield server


async def values(client):
    """What the alarm's variables hold, and with which statuses."""
    nodes = [client.get_node(ua.NodeId(f"{ALARM_ID}:{name}", 2)) for name in NAMES]
    read = [await node.read_data_value(False) for node in nodes]
    return [each.Value.Value for each in read], {each.StatusCode.value for each in read}


async def acknowledge_at_last(client, event_id):
    """Acknowledge as a person does: again, until there is an answer.

    The manager comes back later than its heartbeat, and what timed out may have been carried out.
    """
    answers = []
    async with asyncio.timeout(LIMIT_S):
        while answers[-1:] in ([], ["BadTimeout"]):
            answers.append(await acknowledge(client, ALARM_ID, event_id, "back"))
    assert answers[-1] in ("Good", "BadConditionBranchAlreadyAcked"), answers
    await once(lambda: values(client), lambda found: found[0][1] is True)


@pytest.mark.parametrize(("breaks", "mends"), [("freeze", "thaw"), ("kill", "start")])
async def test_a_broker_frozen_or_killed_clears_nothing(
    own_kafka, redis_server, make_manager, make_adapter, breaks, mends
):
    with fresh_topics(own_kafka) as topics:
        settings = {"kafka": own_kafka.address, "topic_prefix": topics.prefix}
        broker = Broker(own_kafka.address, topics.prefix)
        with make_manager(**settings) as manager:
            manager.wait_ready()
            broker.send_scores(score(number, 6.0) for number in range(4))
            (record,) = broker.wait_alarms(1)
            adapter = make_adapter(**settings, opcua_order_timeout_s="5").start().wait_serving()
            down_id = ua.NodeId(f"{topics.prefix}/ALARM_PIPELINE_DOWN", 2)
            async with live_session(adapter) as client:
                raised, good = await values(client)
                assert good == {ua.StatusCodes.Good}
                assert raised == [True, False, True, bytes.fromhex(record.event_id)]
                async with subscribed(client) as (inbox, subscription):
                    getattr(own_kafka, breaks)()
                    waits = ProcessorWaits()
                    broken_s = time.monotonic()
                    await inbox.first(lambda each: each.get("NodeId") == down_id, LIMIT_S)
                    told_s = time.monotonic() - broken_s
                    print(f"{breaks}: told after {told_s:.1f} s")
                    given_s = waits.so_far_s()
                    assert told_s <= WITHIN_S + SLOW_MACHINE_S + given_s
                    held, _ = await once(
                        lambda: values(client), lambda found: found[1] == UNCERTAIN
                    )
                    assert held == raised
                    answer = await acknowledge(client, ALARM_ID, raised[-1], "away")
                    assert answer in ("BadTimeout", "BadNoCommunication")
                    getattr(own_kafka, mends)()
                    own_kafka.wait_ready()
                    await inbox.first(
                        lambda e: e.get("NodeId") == down_id and not e["ActiveState/Id"], 300
                    )
                    await inbox.first(is_of(ua.ObjectIds.RefreshRequiredEventType))
                    told = [each for each in inbox.events if each.get("NodeId") == CONDITION_ID]
                    assert all(each["ActiveState/Id"] for each in told)
                    await subscription.delete()
                await once_live(client)
                held, _ = await once(lambda: values(client), lambda found: found[1] == good)
                assert held[0] is True, "it was never cleared"
                await acknowledge_at_last(client, raised[-1])
        broker.close()
