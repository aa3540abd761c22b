"""The Sparkplug edge node on a real alarm manager and a real broker, seen by a foreign host."""

import asyncio

import pytest
from asyncua import ua
from meltwatch_schemas.alarm_list import newest
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.topics import Topic

from tests.integration.scada_adapter.bench import LIMIT_S, live_session
from tests.integration.scada_adapter.sparkplug_bench import (
    USER,
    EdgeProcess,
    check_rules,
    edge_settings,
    hosted,
    kind_of,
    qualities,
    topic,
    values,
)
from tests.support.mosquitto import Mosquitto, require_mosquitto
from tests.support.mqtt_program import require_programs
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, score

pytestmark = pytest.mark.integration
DEVICE = FURNACE.replace("/", ":")
OVERHEAT = "Alarms/OVERHEAT"


@pytest.fixture
def mosquitto(tmp_path):
    require_mosquitto()
    require_programs()
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


@pytest.fixture
def settings(kafka, topics, tmp_path, mosquitto):
    of_edge = edge_settings(tmp_path, mosquitto)
    return of_edge | {"kafka": kafka.address, "topic_prefix": topics.prefix}


@pytest.fixture
def edge(tmp_path, settings):
    made = EdgeProcess(tmp_path / "edge", **settings)
    yield made
    made.stop()


@pytest.fixture
def both(tmp_path, settings):
    """One process with both faces."""
    made = EdgeProcess(tmp_path / "both", **without(settings, "opcua_address"))
    yield made
    made.stop()


def without(settings, name):
    return {key: value for key, value in settings.items() if key != name}


def receipts(broker):
    return [AlarmReceipt.from_json(raw.value) for raw in broker.read(Topic.ALARM_RECEIPTS)]


def test_a_host_sees_acknowledges_asks_anew_and_hears_silence_and_death(
    broker, make_manager, edge, mosquitto
):
    with make_manager() as manager, hosted(mosquitto) as host:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (record,) = broker.wait_alarms(1)
        edge.start().wait_born()
        birth = host.first("DBIRTH", lambda told: told["topic"] == topic("DBIRTH", DEVICE))
        shown = values(birth)
        assert shown[f"{OVERHEAT}/State"] == "UNACK"
        assert shown[f"{OVERHEAT}/EventId"] == record.event_id
        assert (shown[f"{OVERHEAT}/Active"], shown[f"{OVERHEAT}/Acked"]) == (True, False)
        assert shown[f"{OVERHEAT}/Score"] == record.evidence.score
        # On a slow machine its furnace may be silent for so long that nobody judges it any more.
        is_silent = shown.get("Alarms/FURNACE_SILENT/Active", False)
        assert qualities(birth)[f"{OVERHEAT}/Active"] == (500 if is_silent else 192)

        def answered(result):
            return lambda told: values(told).get(f"{OVERHEAT}/AckResult") == result

        ack = f"{OVERHEAT}/Ack"
        host.tell(topic("DCMD", DEVICE), (ack, "String", "0" * 32))
        host.first("DDATA", answered("BadEventIdUnknown"))
        user = (f"{OVERHEAT}/AckUser", "String", "li.wei")
        host.tell(topic("DCMD", DEVICE), (ack, "String", record.event_id), user)
        host.first("DDATA", answered("Good"))
        host.first("DDATA", lambda told: values(told).get(f"{OVERHEAT}/State") == "ACKED")
        acked = newest(broker.alarms())[ALARM_ID]
        said = acked.transition
        assert (said.by, said.via, said.comment) == (USER, "sparkplug", "the host says: li.wei")

        before = len(host.heard)
        host.tell(topic("NCMD"), ("Node Control/Rebirth", "Boolean", True))
        again = host.first("NBIRTH", after=before)
        assert values(again)["bdSeq"] == values(host.first("NBIRTH"))["bdSeq"]

        manager.kill()
        down = host.first(
            "DDATA", lambda told: values(told).get("Alarms/ALARM_PIPELINE_DOWN/Active") is True
        )
        assert qualities(down)["Alarms/ALARM_PIPELINE_DOWN/Active"] == 192
        stale = host.first("DDATA", lambda told: qualities(told).get(f"{OVERHEAT}/Active") == 500)
        assert values(stale)[f"{OVERHEAT}/Active"] is True
        assert edge.end() == 0
        host.first("NDEATH")
        told = host.of_edge()
        assert all(values(each).get(f"{OVERHEAT}/Active") is not False for each in told)
        assert [kind_of(each) for each in told].count("NDEATH") == 1
        check_rules(told)


def test_what_a_dead_broker_did_not_take_is_told_by_the_next_birth(
    broker, make_manager, edge, mosquitto
):
    with make_manager() as manager, hosted(mosquitto) as host:
        manager.wait_ready()
        edge.start().wait_born()
        host.first("DBIRTH")
        mosquitto.kill()
        until(lambda: edge.log_lines("dependency_lost"), edge.log.read_text)
        broker.send_scores(score(number, 6.0) for number in range(4))
        (record,) = broker.wait_alarms(1)

        def written(status):
            told = [(each.event_id, each.adapter, each.status) for each in receipts(broker)]
            return (record.event_id, "sparkplug", status) in told

        until(lambda: written("failed"), "a receipt that says failed")
        mosquitto.start()
        edge.wait_born(2)
        host.wait_connected(2)
        host.tell(topic("NCMD"), ("Node Control/Rebirth", "Boolean", True))
        born = host.first("DBIRTH", lambda told: f"{OVERHEAT}/State" in values(told))
        assert values(born)[f"{OVERHEAT}/EventId"] == record.event_id
        until(lambda: written("delivered"), "a receipt that says delivered")

        numbers = [entry["bd_seq"] for entry in edge.log_lines("sparkplug_born")]
        assert numbers[1] == (numbers[0] + 1) % 256
        edge.kill()
        will = host.first("NDEATH")
        # Its session may have been lost in between, on a busy machine.
        last = edge.log_lines("sparkplug_born")[-1]["bd_seq"]
        assert values(will) == {"bdSeq": last}
        births = len(edge.log_lines("sparkplug_born"))
        edge.start().wait_born(births + 1)
        reborn = host.first("NBIRTH", after=host.heard.index(will))
        assert values(reborn)["bdSeq"] == (last + 1) % 256
        born = [each for each in host.of_edge() if kind_of(each) == "NBIRTH"]
        check_rules(host.of_edge()[host.of_edge().index(born[-1]) :])


async def test_what_one_face_acknowledges_the_other_shows(broker, make_manager, both, mosquitto):
    with make_manager() as manager, hosted(mosquitto) as host:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (record,) = broker.wait_alarms(1)
        both.start().wait_serving().wait_born()
        host.first("DBIRTH", lambda told: values(told).get(f"{OVERHEAT}/State") == "UNACK")
        async with live_session(both) as client:
            acked = client.get_node(ua.NodeId(f"{ALARM_ID}:AckedState/Id", 2))
            user = client.get_node(ua.NodeId(f"{ALARM_ID}:ClientUserId", 2))
            assert await acked.read_value() is False
            host.tell(topic("DCMD", DEVICE), (f"{OVERHEAT}/Ack", "String", record.event_id))
            async with asyncio.timeout(LIMIT_S):
                while not await acked.read_value():  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.2)
            assert await user.read_value() == USER
        host.first("DDATA", lambda told: values(told).get(f"{OVERHEAT}/State") == "ACKED")
