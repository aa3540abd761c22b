"""What a plant file says of a meter reaches its adapter and its samples."""

from pathlib import Path

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, Grid
from meltwatch_sources.adapters.meters import open_meter, samples_of, wiring_of
from meltwatch_sources.adapters.modbus import ModbusMeter
from meltwatch_sources.adapters.mqtt import MqttMeter
from meltwatch_sources.adapters.opcua import OpcUaMeter
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.domain.sample_grid import PolledGrid, PushedGrid
from meltwatch_sources.plant import CurrentSource
from meltwatch_sources.ports import SourceLost

GRID = Grid(0, NS_PER_S // 2)
MODBUS = {
    "source_id": "m",
    "address": "modbus+tcp://[::1]:1502?unit=9&framer=rtu",
    "registers": {"first": 3000},
    "phases": ("c", "a", "b"),
    "meter_delay_s": 0.25,
}
OPC_UA = {
    "source_id": "p",
    "address": "opc.tcp://plc:4840",
    "nodes": ("nsu=urn:plc;s=A", "nsu=urn:plc;s=B", "nsu=urn:plc;s=C"),
    "credentials": "plc",
    "hold_s": 5,
}


async def test_a_modbus_meter_is_asked_and_its_delay_moves_the_question(tmp_path: Path) -> None:
    source = CurrentSource.model_validate(MODBUS)
    samples = samples_of(source, GRID)

    assert isinstance(
        open_meter(source, GRID, CredentialStore(tmp_path), SystemClock()), ModbusMeter
    )
    assert isinstance(samples, PolledGrid)
    assert samples.settle_ns() == 500 * NS_PER_MS
    assert wiring_of(source).phases == (2, 0, 1)


MQTT = {
    "source_id": "g",
    "address": "mqtt://[::1]",
    "messages": {"topics": ["f5"], "values": ["/a", "/b", "/c"]},
}


async def test_a_meter_behind_a_broker_tells_when_it_likes(tmp_path: Path) -> None:
    source = CurrentSource.model_validate(MQTT)

    assert isinstance(open_meter(source, GRID, CredentialStore(tmp_path), SystemClock()), MqttMeter)
    assert isinstance(samples_of(source, GRID), PushedGrid)


async def test_an_opc_ua_meter_needs_its_login_whenever_it_is_opened(tmp_path: Path) -> None:
    source, store = CurrentSource.model_validate(OPC_UA), CredentialStore(tmp_path)
    samples = samples_of(source, GRID)
    assert isinstance(samples, PushedGrid)
    assert samples.hold_ns == 5 * NS_PER_S

    with pytest.raises(SourceLost, match="expected a login"):
        open_meter(source, GRID, store, SystemClock())
    (tmp_path / "plc").mkdir()
    (tmp_path / "plc/username").write_text("meltwatch")
    (tmp_path / "plc/password").write_text("p@s:/?#%é")
    assert isinstance(open_meter(source, GRID, store, SystemClock()), OpcUaMeter)
