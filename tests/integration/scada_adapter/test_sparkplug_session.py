"""Sessions of the edge node with a real broker: rights, the primary host, hostile commands."""

import asyncio
import json

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.settings import load
from meltwatch_scada_adapter.adapters.sparkplug.broker import broker_of
from meltwatch_scada_adapter.settings import Settings
from structlog.testing import capture_logs

from tests.integration.scada_adapter.edge_session import edge_node, eventually
from tests.integration.scada_adapter.sparkplug_bench import (
    USER,
    ForeignHost,
    check_rules,
    hosted,
    kind_of,
    topic,
    values,
)
from tests.support.builders import ALARM, FURNACE
from tests.support.mosquitto import Mosquitto, password_file, require_mosquitto
from tests.support.mqtt_program import require_programs
from tests.support.secured import Authority

pytestmark = pytest.mark.integration
DEVICE = FURNACE.replace("/", ":")
SCADA = "scada-1"
STATE = f"spBv1.0/STATE/{SCADA}"
ACK = "Alarms/OVERHEAT/Ack"
SECRETS = {"edge": "edge's secret", "host": "host's secret", "stranger": "another secret"}


@pytest.fixture(autouse=True)
def needs():
    require_mosquitto()
    require_programs()


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


async def hear(host, kind, wanted=lambda _: True, after=0):
    """Wait for a message without holding up the edge node, which runs here."""
    return await asyncio.to_thread(host.first, kind, wanted, after)


def refused(logged):
    return [entry for entry in logged if entry["event"] == "command_refused"]


def say(host, *, online, at):
    host.publish(STATE, json.dumps({"online": online, "timestamp": at}), retain=True)


async def test_nothing_is_born_until_the_primary_host_is_online_and_all_dies_with_it(
    tmp_path, mosquitto
):
    with hosted(mosquitto) as host:
        async with edge_node(tmp_path, host=SCADA, mqtt=mosquitto.address) as face:
            await eventually(lambda: "is not online" in (face.problem or ""))
            host.tell(topic("NCMD"), ("Node Control/Rebirth", "Boolean", True))
            say(host, online=False, at=1_000)
            await hear(host, "STATE")
            await hear(host, "NCMD")
            assert host.of_edge() == []
            say(host, online=True, at=2_000)
            birth = await hear(host, "DBIRTH")
            assert values(birth)["Alarms/OVERHEAT/State"] == "UNACK"
            await eventually(lambda: face.problem is None)
            say(host, online=False, at=1_500)  # of a session before
            host.publish(STATE, "OFFLINE", retain=True)  # not of Sparkplug 3
            host.tell(topic("NCMD"), ("Node Control/Rebirth", "Boolean", True))
            await hear(host, "NBIRTH", after=host.heard.index(birth))
            assert [kind_of(told) for told in host.of_edge()].count("NDEATH") == 0
            say(host, online=False, at=3_000)
            death = await hear(host, "NDEATH")
            assert values(death) == {"bdSeq": 41}
            await eventually(lambda: "is not online" in (face.problem or ""))
            say(host, online=True, at=4_000)
            again = await hear(host, "NBIRTH", after=host.heard.index(death))
            assert values(again)["bdSeq"] == 42
            await eventually(lambda: face.problem is None)
        await hear(host, "NDEATH", after=host.heard.index(again))
        check_rules(host.of_edge())


async def test_hostile_commands_are_refused_and_harm_nobody(tmp_path, mosquitto):
    dcmd = topic("DCMD", DEVICE)
    with hosted(mosquitto) as host:
        host.publish(dcmd, "retained", retain=True)
        await hear(host, "DCMD")
        with capture_logs() as logged:
            async with edge_node(tmp_path, mqtt=mosquitto.address) as face:
                await hear(host, "DBIRTH")
                for number in range(50):
                    host.publish(topic("NCMD"), "\x12\x7f no payload")
                    host.publish(dcmd, "x" * 100_000)
                    host.tell(dcmd, ("Alarms/NO_SUCH/Ack", "String", "ab"))
                    host.tell(topic("DCMD", "no:such"), (ACK, "String", "ab"))
                    host.tell(dcmd, (ACK, "String", "a\x1b[2Jb"))
                    host.tell(topic("NCMD"), ("Node Control/Rebirth", "Boolean", True))
                    if number == 49:
                        host.tell(dcmd, (ACK, "String", "ab"), (f"{ACK}User", "String", "li.wei"))
                answer = await hear(host, "DDATA", lambda told: f"{ACK}Result" in values(told))
                assert values(answer) == {ACK: "ab", f"{ACK}User": "li.wei", f"{ACK}Result": "Good"}
                assert face.desk.orders == [(ALARM, "ab", USER)]
        births = [kind_of(told) for told in host.of_edge()].count("NBIRTH")
        assert births < 50, "births that are asked for at once are one"
        check_rules(host.of_edge())
    assert len(refused(logged)) == 5 * 50 + 1
    assert "\x1b" not in str(refused(logged))


async def test_orders_beyond_what_can_be_asked_at_once_are_refused(tmp_path, mosquitto):
    with hosted(mosquitto) as host:
        async with edge_node(tmp_path, mqtt=mosquitto.address) as face:
            await hear(host, "DBIRTH")
            face.desk.may_answer.clear()
            with capture_logs() as logged:
                for _ in range(110):
                    host.tell(topic("DCMD", DEVICE), (ACK, "String", "ab"))
                await eventually(lambda: len(refused(logged)) == 10)
            assert len(face.desk.orders) == 100
            face.desk.may_answer.set()
            await hear(host, "DDATA", lambda told: values(told).get(f"{ACK}Result") == "Good")


async def test_without_a_name_for_the_host_nothing_is_acknowledged(tmp_path, mosquitto):
    with hosted(mosquitto) as host:
        async with edge_node(tmp_path, user=None, mqtt=mosquitto.address) as face:
            await hear(host, "DBIRTH")
            host.tell(topic("DCMD", DEVICE), (ACK, "String", "ab"))
            answer = await hear(host, "DDATA")
            assert values(answer)[f"{ACK}Result"] == "BadUserAccessDenied"
            assert face.desk.orders == []


@pytest.fixture
def secured(tmp_path):
    authority = Authority(tmp_path / "certificates")
    certificate, key = authority.issue("mosquitto", "127.0.0.1")
    rights = tmp_path / "rights"
    rights.write_text(
        f"user edge\ntopic write {topic('NBIRTH')}\ntopic write {topic('NDEATH')}\n"
        f"topic write {topic('NDATA')}\ntopic write {topic('DBIRTH', '+')}\n"
        f"topic write {topic('DDATA', '+')}\ntopic read {topic('NCMD')}\n"
        f"topic read {topic('DCMD', '+')}\ntopic read spBv1.0/STATE/+\n"
        f"user host\ntopic readwrite spBv1.0/#\n"
        f"user stranger\ntopic read spBv1.0/#\n"
    )
    lines = (
        f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}",
        f"password_file {password_file(tmp_path, **SECRETS)}", f"acl_file {rights}",
    )  # fmt: skip
    with Mosquitto(tmp_path / "mosquitto", *lines) as started:
        yield started, authority


def secret_file(folder, user):
    file = folder / f"{user}.secret"
    file.write_text(f"{SECRETS[user]}\n")
    return str(file)


async def test_tls_a_password_and_the_least_rights_are_enough(tmp_path, secured):
    broker, authority = secured
    environ = {
        "mqtt": broker.address, "mqtt_tls": "true", "mqtt_ca_file": str(authority.file),
        "mqtt_username": "edge", "mqtt_password_file": secret_file(tmp_path, "edge"),
    }  # fmt: skip
    login = [str(authority.file), "host", SECRETS["host"]]
    stranger_login = [str(authority.file), "stranger", SECRETS["stranger"]]
    url = f"mqtts://{broker.address}"
    with ForeignHost(url, *login) as host, ForeignHost(url, *stranger_login) as stranger:
        async with edge_node(tmp_path, **environ) as face:
            await hear(host, "DBIRTH")
            stranger.tell(topic("DCMD", DEVICE), (ACK, "String", "of a stranger"))
            await hear(stranger, "DBIRTH")
            host.tell(topic("DCMD", DEVICE), (ACK, "String", "ab"))
            await hear(host, "DDATA", lambda told: values(told).get(f"{ACK}Result") == "Good")
            assert face.desk.orders == [(ALARM, "ab", USER)]
        await hear(host, "NDEATH")
        check_rules(host.of_edge())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"mqtt_password": "wrong secret"},
            "expected a login that it knows, got [code:135] Not au",
        ),
        ({"mqtt_ca_file": None}, "expected a certificate signed by a CA of MELTWATCH_MQTT_CA_FILE"),
        ({"mqtt_tls": "false"}, "does it want TLS?"),
    ],
)
async def test_what_is_wrong_is_said_without_the_secret(tmp_path, secured, changes, said):
    broker, authority = secured
    environ = {
        "mqtt": broker.address, "mqtt_tls": "true", "mqtt_ca_file": str(authority.file),
        "mqtt_username": "edge", "mqtt_password": SECRETS["edge"],
    } | changes  # fmt: skip
    given = {name: value for name, value in environ.items() if value is not None}
    with capture_logs() as logged:
        async with edge_node(tmp_path, **given) as face:
            await eventually(lambda: said in (face.dependencies.problem() or ""))
            assert said in face.problem
    (line,) = (entry for entry in logged if entry["event"] == "dependency_lost")
    assert said in line["error"]
    assert "secret" not in str(logged)


def test_a_password_without_a_user_and_bad_files_are_refused(tmp_path):
    for environ in (
        {"MELTWATCH_MQTT_PASSWORD": "x"},
        {"MELTWATCH_MQTT_TLS": "true", "MELTWATCH_MQTT_CA_FILE": str(tmp_path / "none")},
        {
            "MELTWATCH_MQTT_TLS": "true",
            "MELTWATCH_MQTT_CERTIFICATE_FILE": str(tmp_path / "none"),
        },
        {"MELTWATCH_MQTT_USERNAME": "x", "MELTWATCH_MQTT_PASSWORD_FILE": str(tmp_path / "none")},
    ):
        settings = load(Settings, {"MELTWATCH_MQTT": "127.0.0.1:1883", **environ})
        with pytest.raises(ConfigurationError, match="MELTWATCH_MQTT_"):
            broker_of(settings, "edge")
