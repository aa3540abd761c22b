"""The OPC UA server's nodes and metrics; making nodes stops nothing else."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from asyncua import Server, ua
from asyncua.server.address_space import AddressSpace
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_scada_adapter.adapters.opcua.fields import NAMESPACE_URI, field_id, fields_of
from meltwatch_scada_adapter.adapters.opcua.patches import AlarmServer
from meltwatch_scada_adapter.adapters.opcua.server import OpcUaFace
from meltwatch_scada_adapter.app import ScadaAdapter
from meltwatch_scada_adapter.bootstrap import OPC_UA
from meltwatch_scada_adapter.domain.condition import of_record
from meltwatch_scada_adapter.domain.orders import Order, OrderOutcome
from meltwatch_scada_adapter.domain.plant import PlantConditions
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.errors import malformed
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import ALARM, FURNACE, NOON_NS, alarm_record

PREFIX = "meltwatch"
CONDITIONS = [of_record(alarm_record(alarm_id=f"{FURNACE}/N{each}"), None) for each in range(4)]


CLOCK = ManualClock(NOON_NS)


async def no_door() -> AlarmServer:
    """Return a server that no client can reach: nothing listens."""
    server = AlarmServer()
    outer = Server(iserver=server)
    await outer.init()
    await outer.register_namespace(NAMESPACE_URI)
    return server


@pytest.fixture(scope="module")
def server() -> AlarmServer:
    """To read OPC UA's own nodes takes seconds."""
    return asyncio.run(no_door())


@pytest.fixture(scope="module")
def face(server) -> OpcUaFace:
    return OpcUaFace(server, 9, CLOCK)


async def nobody_comes() -> None:
    """Stand in for the door of clients."""


def facts_of(aspace: AddressSpace, alarm_id: str) -> dict[str, Any]:
    """Return all of a condition's nodes, with their values and references, for any alarm id."""

    def placeless(value: Any) -> str:
        return str(value).replace(alarm_id, "ID").replace(alarm_id.rpartition("/")[2], "NAME")

    return {
        placeless(node): (
            {name: placeless(value.value) for name, value in data.attributes.items()},
            {placeless(each) for each in data.references},
        )
        for node, data in aspace._nodes.items()
        if str(node.Identifier).startswith(alarm_id)
    }


async def test_copies_of_a_condition_are_as_asyncua_makes_them(face):
    first, second = CONDITIONS[:2]
    aspace = face._server.aspace
    await face.trust(is_live=True)
    await face.prepare([first, second])
    made = facts_of(aspace, first.alarm_id)
    assert len(made) == 2 + len(fields_of(first))
    assert facts_of(aspace, second.alarm_id) == made
    await face.show(replace(second, active=False, message="only this one"))
    assert facts_of(aspace, first.alarm_id) == made
    assert facts_of(aspace, second.alarm_id) != made


async def test_a_variable_says_since_when_it_is_so(face):
    condition = CONDITIONS[2]

    def shown(name: str) -> ua.DataValue:
        identity = field_id(condition.alarm_id, name)
        return face._server.aspace.read_attribute_value(identity, ua.AttributeIds.Value)

    await face.trust(is_live=True)
    await face.show(condition)
    before = shown("Message").SourceTimestamp
    assert before == utc_from_ns(CLOCK.now_ns())
    CLOCK.advance(5 * NS_PER_S)
    await face.show(replace(condition, message="changed"))
    assert shown("Message").SourceTimestamp == before + timedelta(seconds=5)
    assert shown("Severity").SourceTimestamp == before
    CLOCK.advance(5 * NS_PER_S)
    await face.trust(is_live=False)
    assert shown("Severity").SourceTimestamp == before + timedelta(seconds=10)


async def test_the_figures_of_a_face_and_its_pauses(server):
    metrics, face, pauses = Metrics(), OpcUaFace(server, 3, CLOCK), 0
    names = [f"another/hall/F{number}/HOT" for number in range(4)]
    conditions = [of_record(alarm_record(alarm_id=each), None) for each in names]

    async def others() -> None:
        nonlocal pauses
        while True:
            pauses += 1
            await asyncio.sleep(0)

    face.measure(metrics)
    beside = asyncio.create_task(others())
    with structlog.testing.capture_logs() as said:
        await face.prepare(conditions)
        await face.show(conditions[3])
    beside.cancel()

    assert pauses >= 3
    value = metrics.registry.get_sample_value
    assert value("meltwatch_opcua_conditions", {"outcome": "shown"}) == 3
    assert value("meltwatch_opcua_conditions", {"outcome": "refused"}) == 1
    assert value("meltwatch_opcua_sessions") == 0
    assert [entry["event"] for entry in said] == ["condition_not_shown"]


async def test_orders_and_refused_records_are_counted(monkeypatch, face):
    metrics, clock = Metrics(), ManualClock(NOON_NS)
    rights = rights_of(Principal.SCADA_ADAPTER, PREFIX)
    feed = AlarmFeed({}, PREFIX, rights, OPC_UA, clock)
    conditions = PlantConditions(MasterAlarmList({}, PREFIX))
    adapter = ScadaAdapter(
        OPC_UA,
        "sent",
        feed,
        face,
        conditions,
        None,
        PREFIX,
        clock,
        1.0,
        nobody_comes,
        LoopVitals(clock, Dependencies(metrics, clock)),
        metrics,
    )

    async def no_answer(*_: object) -> None:
        return None

    monkeypatch.setattr(feed, "ask", no_answer)
    assert await adapter.carry_out(ALARM, Order(Command.COMMENT), "li.wei") is OrderOutcome.TIMEOUT
    topic = f"{PREFIX}.alarms.v1"
    for offset in range(5):
        feed.note_refused(RawRecord(topic, 0, offset, 0, b"x", b""), malformed("expected JSON"))

    value = metrics.registry.get_sample_value
    answered = {"adapter": OPC_UA, "command": "comment", "outcome": "BadTimeout"}
    assert value("meltwatch_scada_orders_total", answered) == 1
    refused = {"service": "scada_adapter", "topic": topic, "outcome": "refused"}
    assert value("meltwatch_records_total", refused) == 5
