"""The MQTT adapter against mosquitto, and a publisher that we did not write."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_sources.adapters.mqtt import MqttMeter, MqttPlace
from meltwatch_sources.address import CURRENT_SCHEMES, parse_address
from meltwatch_sources.credentials import Credentials
from meltwatch_sources.domain.json_currents import JsonCurrents, JsonPlaces
from meltwatch_sources.domain.messages import MessageReader
from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.domain.sparkplug_currents import SparkplugCurrents, SparkplugPlaces
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost

from tests.support.mosquitto import Mosquitto, password_file, require_mosquitto
from tests.support.mqtt_program import require_programs
from tests.support.mqtt_publisher import Publisher
from tests.support.secured import Authority

pytestmark = [pytest.mark.integration]
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of a server that lives for a test
TOPIC = "plant/f5"
JSON = JsonPlaces((TOPIC,), ("/ia", "/ib", "/ic"), "/ts")
NODE = SparkplugPlaces("plant", "gw", "f5", ("Ia", "Ib", "Ic"))
BIRTH = [{"name": name, "alias": n, "type": "Double", "value": 100.0 + n}
         for n, name in enumerate(NODE.metrics)]  # fmt: skip
NUMBER = {"name": "bdSeq", "type": "UInt64", "value": 3}
WILL = {"topic": NODE.topic("NDEATH"), "payload": {"timestamp": 1, "metrics": [NUMBER]}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    require_mosquitto()
    require_programs()
    with Mosquitto(tmp_path_factory.mktemp("plain")) as started:
        yield started


@asynccontextmanager
async def reading(
    broker: Mosquitto, reader: MessageReader, login: Credentials | None = None, scheme: str = "mqtt"
) -> AsyncIterator[AsyncIterator[MeterReading]]:
    where = parse_address(f"{scheme}://{broker.address}", CURRENT_SCHEMES)
    meter = MqttMeter(MqttPlace(where, login), reader, SystemClock())
    async with aclosing(meter.readings(asyncio.Event())) as readings:
        yield readings


async def told(readings: AsyncIterator[MeterReading]) -> MeterReading:
    """The next reading of a phase."""
    async with asyncio.timeout(60):
        while not (read := await anext(readings)).phases:
            pass
        return read


async def told_once_listening(
    readings: AsyncIterator[MeterReading],
    publisher: Publisher,
    amperes: float,
    topic: str = TOPIC,
) -> MeterReading:
    """Publish until it is heard: only then is the subscription there."""

    async def heard() -> MeterReading:
        while not (read := await told(readings)).has_value:
            pass
        return read

    coming = asyncio.ensure_future(heard())
    while not coming.done():
        publisher.currents(topic, amperes, amperes, amperes)
        await asyncio.wait({coming}, timeout=0.2)
    return coming.result()


async def test_json_is_read_as_it_comes_and_a_retained_message_of_long_ago_is_not(plain):
    with Publisher(f"mqtt://{plain.address}") as publisher:
        publisher.publish(TOPIC, '{"ia": 1, "ib": 1, "ic": 1, "ts": "2020-01-01T00:00:00Z"}',
                       retain=True)  # fmt: skip
        places = JsonPlaces(("marker",), JSON.values)
        async with reading(plain, JsonCurrents(places)) as readings:
            # What was published before has come to the broker then.
            await told_once_listening(readings, publisher, 1.0, "marker")
        async with reading(plain, JsonCurrents(JSON)) as readings:
            first = await told_once_listening(readings, publisher, 7.0)
            assert first.values.tolist() == [7, 7, 7], "not the retained one"
            assert first.source_ns is not None
            publisher.publish(TOPIC, "no JSON")
            publisher.currents(TOPIC, 8.0, 9.0, 10.0)
            while (read := await told(readings)).values[0] != 8:
                assert read.values[0] == 7
            assert read.values.tolist() == [8, 9, 10]


async def test_a_long_message_is_read_beside_the_loop_and_too_long_a_one_not_at_all(plain):
    with Publisher(f"mqtt://{plain.address}") as publisher:
        async with reading(plain, JsonCurrents(JsonPlaces(("long",), JSON.values))) as readings:
            coming = asyncio.ensure_future(told(readings))
            while not coming.done():
                publisher.publish("long", '{"ia": 1, "ib": 1, "ic": 1}' + " " * 65_536)
                publisher.publish("long", '{"ia": 2, "ib": 2, "ic": 2}' + " " * 60_000)
                await asyncio.wait({coming}, timeout=0.5)

    assert coming.result().values.tolist() == [2, 2, 2]


async def test_a_publisher_that_is_silent_is_told_with_the_reason(plain):
    async with reading(plain, JsonCurrents(JsonPlaces(("nobody",), JSON.values))) as readings:
        read = await told(readings)

    assert np.isnan(read.values).all()
    assert read.quality == "no message yet"


async def test_an_edge_node_is_asked_for_its_birth_and_its_death_ends_its_values(plain):
    publisher = Publisher(f"mqtt://{plain.address}", will=WILL)
    with publisher:
        async with reading(plain, SparkplugCurrents(NODE)) as readings:
            coming = asyncio.ensure_future(told(readings))
            by_alias = {"alias": 1, "type": "Double", "value": 5.5}
            while not publisher.heard:
                publisher.metrics(NODE.topic("DDATA"), by_alias)
                await asyncio.sleep(0.2)
            assert publisher.heard[0]["topic"] == "spBv1.0/plant/NCMD/gw"
            (asked,) = publisher.heard[0]["metrics"]
            assert (asked["name"], asked["value"]) == ("Node Control/Rebirth", True)
            publisher.metrics(NODE.topic("NBIRTH"), NUMBER)
            publisher.metrics(NODE.topic("DBIRTH"), *BIRTH)
            publisher.metrics(NODE.topic("DDATA"), by_alias)
            first = await coming
            seen = [first, *[await told(readings) for _ in range(3)]]
            assert [each.phases for each in seen] == [(0,), (1,), (2,), (1,)]
            assert [float(each.values[each.phases[0]]) for each in seen] == [100, 101, 102, 5.5]
            assert not (await anext(readings)).phases, "a proof of life"
            publisher.kill()
            dead = await told(readings)
            assert np.isnan(dead.values).all()
            assert "died" in dead.quality


async def test_a_broker_that_goes_away_is_a_loss(tmp_path: Path):
    require_mosquitto()
    with Mosquitto(tmp_path) as broker:
        async with reading(broker, SparkplugCurrents(NODE)) as readings:
            coming = asyncio.ensure_future(told(readings))
            await asyncio.sleep(1)
            broker.kill()
            with pytest.raises(SourceLost):
                await coming
        async with reading(broker, SparkplugCurrents(NODE)) as readings:
            with pytest.raises(SourceLost, match=r"MQTT at 127\.0\.0\.1:.*expected an answer"):
                await anext(readings)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, Authority]]:
    require_mosquitto()
    require_programs()
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder / "certificates")
    certificate, key = authority.issue("mosquitto", "127.0.0.1")
    rights = folder / "rights"
    rights.write_text(f"user meltwatch\ntopic read {TOPIC}\nuser meter\ntopic write {TOPIC}\n")
    passwords = password_file(folder, meltwatch=PASSWORD, meter="other")
    lines = (
        f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}",
        f"password_file {passwords}", f"acl_file {rights}", "allow_anonymous false",
    )  # fmt: skip
    with Mosquitto(folder / "mosquitto", *lines) as started:
        yield started, authority


async def test_tls_and_a_login_with_the_right_to_read_alone_are_enough(secured):
    broker, authority = secured
    login = Credentials("meltwatch", PASSWORD, authority=authority.file)
    with Publisher(f"mqtts://{broker.address}", str(authority.file), "meter", "other") as publisher:
        async with reading(broker, JsonCurrents(JSON), login, "mqtts") as readings:
            read = await told_once_listening(readings, publisher, 7.0)

    assert read.values.tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("password", "trusts", "scheme", "loss", "said"),
    [
        (f"{PASSWORD}x", True, "mqtts", Loss.REFUSED, "the broker refused us"),
        (PASSWORD, False, "mqtts", Loss.LOST, "expected a certificate signed by a CA of ca.pem"),
        (PASSWORD, True, "mqtt", Loss.LOST, "does it want TLS"),
    ],
)
async def test_a_login_that_is_refused_is_a_loss_without_the_password(
    secured, password, trusts, scheme, loss, said
):
    broker, authority = secured
    login = Credentials("meltwatch", password, authority=authority.file if trusts else None)
    with pytest.raises(SourceLost, match=said) as caught:
        async with reading(broker, JsonCurrents(JSON), login, scheme) as readings:
            await anext(readings)

    assert caught.value.loss is loss
    assert PASSWORD not in str(caught.value)
