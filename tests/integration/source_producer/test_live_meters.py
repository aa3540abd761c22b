"""The meters of a plant file: a Modbus meter and a PLC, both away now and then."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.current import CurrentChunk

from tests.integration.source_producer.bench import currents_of, producing
from tests.support import modbus_meter, opcua_meter
from tests.support.meter_process import MeterProcess
from tests.support.servers import Topics
from tests.support.waiting import until
from tests.support.whole_currents import assert_whole

pytestmark = [pytest.mark.integration]
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of a server that lives for a test
METERED, PLC, WRONG = "plant/area/F-1", "plant/area/F-2", "plant/area/F-3"


@pytest.fixture
def meters(tmp_path: Path) -> Iterator[tuple[MeterProcess, MeterProcess]]:
    (tmp_path / "plc").mkdir()
    with (
        MeterProcess("modbus_meter", "socket") as modbus,
        MeterProcess("opcua_meter", str(tmp_path / "plc"), PASSWORD, "1") as plc,
    ):
        yield modbus, plc


def write_plant_file(folder: Path, modbus: int, plc: int) -> None:
    login = folder / "logins/plc"
    login.mkdir(parents=True)
    (login / "username").write_text(opcua_meter.USER)
    (login / "password").write_text(f"{PASSWORD}\n")
    registers = {"first": modbus_meter.FIRST}
    address = f"modbus+tcp://127.0.0.1:{modbus}?unit={modbus_meter.UNIT}"
    plant = {
        "credentials_dir": str(folder / "logins"),
        "furnaces": [
            {"id": METERED, "name": "1", "current": {
                "source_id": "meter-1", "address": address, "registers": registers, "scale": 2,
                "meter_delay_s": 0.25}},
            {"id": PLC, "name": "2", "current": {
                "source_id": "plc-2", "address": f"opc.tcp://127.0.0.1:{plc}", "credentials": "plc",
                "nodes": [f"nsu={opcua_meter.URI};s={name}" for name in opcua_meter.NAMES]}},
            {"id": WRONG, "name": "3", "current": {"source_id": "m", "address": "http://x"}},
        ],
    }  # fmt: skip
    (folder / "plant.yaml").write_text(yaml.safe_dump(plant))


def chunks_of(kafka: KafkaServer, topics: Topics, furnace_id: str) -> list[CurrentChunk]:
    found = currents_of(kafka.address, topics.prefix)
    return [chunk for chunk in found if chunk.identity.furnace_id == furnace_id]


def test_samples_go_on_as_nan_while_a_meter_is_away_and_its_neighbour_does_not_care(
    kafka: KafkaServer, topics: Topics, tmp_path: Path, meters: tuple[MeterProcess, MeterProcess]
) -> None:
    modbus, plc = meters
    write_plant_file(tmp_path, modbus.port, plc.port)

    def wait_for(furnace_id: str, is_whole: bool) -> None:
        """Wait until the newest samples have all values, or none."""

        def has_come() -> bool:
            chunks = chunks_of(kafka, topics, furnace_id)
            return bool(chunks) and bool((np.isfinite(chunks[-1].data) == is_whole).all())

        until(has_come, producer.log.read_text, every_s=0.5)

    with producing(kafka.address, topics.prefix, tmp_path) as producer:
        wait_for(METERED, is_whole=True)
        wait_for(PLC, is_whole=True)
        modbus.kill()
        wait_for(METERED, is_whole=False)
        wait_for(PLC, is_whole=True)
        plc.freeze()
        wait_for(PLC, is_whole=False)
        away = "current of plant/area/F-1: waiting"
        until(lambda: away in producer.asked("/readyz"), lambda: producer.asked("/readyz"))
        modbus.start()
        plc.thaw()
        wait_for(METERED, is_whole=True)
        wait_for(PLC, is_whole=True)
        everything = producer.asked("/metrics") + producer.asked("/readyz")
        everything += subprocess.check_output(
            ["ps", "eww", "-p", str(producer.process.pid)], text=True
        )
        assert producer.stop() == 0

    # A server tells its phases one by one, and one of them may be written meanwhile.
    for furnace_id, scale, phases, apart in (
        (METERED, 2, modbus_meter.PHASES, 0),
        (PLC, 1, opcua_meter.PHASES, 10),
    ):
        chunks = chunks_of(kafka, topics, furnace_id)
        assert_whole(chunks)  # whatever happened
        assert all(chunk.identity.ingest_time_ns > chunk.last_event_ns for chunk in chunks)
        assert all(chunk.identity.sync for chunk in chunks)
        samples = np.concatenate([chunk.data for chunk in chunks])
        given = samples[np.isfinite(samples).all(axis=1)] / scale - np.array(phases)
        assert (np.ptp(given, axis=1) <= apart).all(), "all three phases are of one instant"
        assert ((given > 0) & (given < 10_000)).all(), "nothing is made up"
    everything += producer.log.read_text()
    assert PASSWORD not in everything
    assert "p%40s" not in everything
    assert f'meltwatch_source_state{{furnace="{WRONG}",modality="current"}} 3.0' in everything
    assert producer.events().count("meter_clock_disagrees") == 0
    states = [event for event in producer.events() if event.startswith("source_")]
    assert len(states) < 20, "one line a change of state, none an attempt"
