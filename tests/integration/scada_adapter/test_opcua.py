"""The OPC UA server on a real alarm manager, seen by asyncua's client."""

import pytest
from asyncua import ua
from meltwatch_schemas.alarm_list import newest

from tests.integration.scada_adapter.bench import (
    acknowledge,
    call,
    is_of,
    link_of,
    live_session,
    once,
    once_live,
    refresh,
    session,
    subscribed,
)
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, score

pytestmark = pytest.mark.integration
AREA = FURNACE.rpartition("/")[0]
IDS = ua.ObjectIds
TEXT = ua.Variant(ua.LocalizedText("lance change"), ua.VariantType.LocalizedText)


@pytest.fixture
def raised(broker, make_manager):
    """A manager that has raised an alarm, and its record."""
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (record,) = broker.wait_alarms(1)
        yield manager, record


async def refreshed(client, node=IDS.Server, of_type=None):
    """What a refresh shows to somebody who watches a node."""
    async with subscribed(client, node, of_type) as (inbox, subscription):
        await refresh(client, subscription)
        return await inbox.refreshed()


async def read(client, name, alarm_id=ALARM_ID):
    """The data value of one of a condition's variables."""
    return await client.get_node(ua.NodeId(f"{alarm_id}:{name}", 2)).read_data_value(False)


async def test_who_comes_late_sees_acknowledges_and_shelves(broker, view, make_adapter, raised):
    _, record = raised
    adapter = make_adapter().start().wait_serving()
    async with session(adapter) as client, subscribed(client) as (inbox, subscription):
        await refresh(client, subscription)
        (event,) = await inbox.refreshed()
        assert event["EventId"].hex() == record.event_id
        assert event["Message"].Text == record.message
        assert event["NodeId"] == ua.NodeId(ALARM_ID, 2)
        assert (event["ActiveState/Id"], event["AckedState/Id"]) == (True, False)
        assert (event["Severity"], event["Retain"]) == (700, True)
        types = (IDS.BaseEventType, IDS.ConditionType, IDS.AcknowledgeableConditionType)
        for of_type in types:
            assert [each["EventId"] for each in await refreshed(client, of_type=of_type)] == [
                event["EventId"]
            ]
        assert await refreshed(client, of_type=IDS.AuditEventType) == []
        for node in (FURNACE, AREA):
            (seen,) = await refreshed(client, ua.NodeId(node, 2))
            assert seen["EventId"] == event["EventId"]

        assert await acknowledge(client, ALARM_ID, bytes(16)) == "BadEventIdUnknown"
        assert await acknowledge(client, ALARM_ID, b"short") == "BadEventIdUnknown"
        assert await acknowledge(client, ALARM_ID, event["EventId"], "seen") == "Good"
        acked = await inbox.first(lambda each: each["AckedState/Id"] is True)
        assert (acked["ClientUserId"], acked["Comment"].Text) == ("li.wei", "seen")
        await once(lambda: read(client, "AckedState/Id"), lambda found: found.Value.Value is True)
        assert await acknowledge(client, ALARM_ID, event["EventId"]) == "Good", "seen already"

        machine = f"{ALARM_ID}:ShelvingState"
        far = ua.Variant(1e12, ua.VariantType.Double)
        shelve = IDS.ShelvedStateMachineType_TimedShelve
        assert await call(client, machine, shelve) == "BadArgumentsMissing"
        assert await call(client, machine, shelve, far) == "BadShelvingTimeOutOfRange"
        time = ua.Variant(60_000.0, ua.VariantType.Double)
        assert await call(client, machine, shelve, time) == "Good"
        shelved = await inbox.first(lambda each: each["SuppressedOrShelved"])
        assert shelved["ShelvingState/CurrentState/Id"] == ua.NodeId(
            IDS.ShelvedStateMachineType_TimedShelved
        )
        unshelve = IDS.ShelvedStateMachineType_Unshelve
        assert await call(client, machine, unshelve) == "Good"
        assert await call(client, machine, unshelve) == "BadConditionNotShelved"
        assert await call(client, ALARM_ID, IDS.AlarmConditionType_Suppress) == (
            "BadUserAccessDenied"
        )
        assert await call(client, ALARM_ID, IDS.ConditionType_Disable) == "BadNotSupported"
    async with session(adapter, "wang.fang") as engineer:
        assert await call(engineer, ALARM_ID, IDS.AlarmConditionType_Suppress2, TEXT) == "Good"

    def told() -> list[tuple[str, str | None, str | None]]:
        written = [each.transition for each in broker.alarms() if each.alarm_id == ALARM_ID]
        return [(each.cause, each.by, each.via) for each in written[1:]]

    until(lambda: told()[-1] == ("SUPPRESS", "wang.fang", "opcua"), told)
    assert told()[:2] == [("ACK", "li.wei", "opcua"), ("SHELVE", "li.wei", "opcua")]
    last = newest(broker.alarms())[ALARM_ID]
    stored = f"{broker.prefix}:alarm:{ALARM_ID}"
    until(lambda: view.hget(stored, "seq") == str(last.seq), "the same in Redis")


async def test_viewers_look_and_nobody_touches_what_is_anothers(broker, make_adapter, raised):
    _, record = raised
    adapter = make_adapter().start().wait_serving()
    async with session(adapter, "zhang.min") as viewer, session(adapter) as operator:
        (event,) = await refreshed(viewer)
        assert await acknowledge(viewer, ALARM_ID, event["EventId"]) == "BadUserAccessDenied"
        state = viewer.get_node(ua.NodeId(f"{ALARM_ID}:State", 2))
        with pytest.raises(ua.UaStatusCodeError):
            await state.write_value("NORM")
        async with subscribed(operator) as (_, theirs):
            with pytest.raises(ua.UaStatusCodeError) as refusal:
                await refresh(viewer, theirs)
            assert refusal.value.code == ua.StatusCodes.BadUserAccessDenied
            number = theirs.subscription_id
            (code,) = await viewer.uaclient.delete_subscriptions([number])
            assert code.value == ua.StatusCodes.BadSubscriptionIdInvalid
    for user in (None, "stranger"):
        with pytest.raises((ua.UaStatusCodeError, ua.UaError)):
            async with session(adapter, user):
                pass
    assert [each.alarm_id for each in broker.alarms()].count(ALARM_ID) == 1
    assert record.state == "UNACK"


async def test_a_full_queue_asks_for_a_refresh(make_adapter, raised):
    adapter = make_adapter().start().wait_serving()
    async with session(adapter) as client, subscribed(client, queue=1) as (inbox, subscription):
        await refresh(client, subscription)
        await inbox.first(is_of(IDS.RefreshRequiredEventType))


@pytest.mark.long
async def test_silence_is_told_and_clears_nothing(broker, make_manager, make_adapter, raised):
    manager, record = raised
    adapter = make_adapter(opcua_order_timeout_s="2").start().wait_serving()
    down_id = ua.NodeId(f"{broker.prefix}/ALARM_PIPELINE_DOWN", 2)
    async with live_session(adapter) as client, subscribed(client) as (inbox, _):
        assert (await read(client, "Retain")).StatusCode.is_good()
        manager.kill()
        down = await inbox.first(lambda each: each.get("NodeId") == down_id)
        assert (down["ActiveState/Id"], down["Severity"]) == (True, 900)
        uncertain = ua.StatusCodes.UncertainLastUsableValue
        active = await once(
            lambda: read(client, "ActiveState/Id"),
            lambda found: found.StatusCode.value == uncertain,
        )
        assert active.Value.Value is True
        assert await acknowledge(client, ALARM_ID, bytes.fromhex(record.event_id)) == "BadTimeout"
        await once(lambda: link_of(client), lambda found: found == "down")
        with make_manager("next") as successor:
            successor.wait_ready()
            await inbox.first(lambda e: e.get("NodeId") == down_id and not e["ActiveState/Id"])
            await inbox.first(is_of(IDS.RefreshRequiredEventType))
            # The order that got no answer is carried out by whoever leads next.
            await inbox.first(lambda each: each["AckedState/Id"] is True)
            await once(lambda: read(client, "Retain"), lambda found: found.StatusCode.is_good())
            await once_live(client)
            count = client.get_node(ua.NodeId("ActiveCount", 2))
            await once(count.read_value, lambda found: found >= 1)
