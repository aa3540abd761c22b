"""The edge node before a host on Eclipse Tahu, Sparkplug's reference implementation.

Tahu checks the order of what it hears, and asks for a birth when it finds it wrong. It keeps the
STATE of a primary host itself.
"""

import asyncio
import json
import subprocess
import threading

import pytest
from meltwatch_scada_adapter.domain.condition import of_record

from tests.integration.scada_adapter.edge_session import edge_node, eventually
from tests.integration.scada_adapter.foreign import TAHU
from tests.integration.scada_adapter.sparkplug_bench import EDGE, GROUP
from tests.support.builders import ALARM, FURNACE, alarm_record
from tests.support.mosquitto import Mosquitto, require_mosquitto
from tests.support.waiting import until

pytestmark = [pytest.mark.integration]
DEVICE = FURNACE.replace("/", ":")
SCADA = "scada-1"
NODE = f"{GROUP}/{EDGE}"
OVERHEAT = "Alarms/OVERHEAT"


class TahuHost:
    """``Host.java`` as a process; what it tells is kept in the order in which it came."""

    def __init__(self, command, mosquitto) -> None:
        self.told = []
        self._process = subprocess.Popen(
            [*command, SCADA, f"tcp://{mosquitto.address}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("{"):
                self.told.append(json.loads(line))

    def say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def command(self, name, value):
        self.say(json.dumps({"device": f"{NODE}/{DEVICE}", "name": name, "value": value}))

    def end(self):
        """End it in order: it says that it is offline."""
        self.say("shutdown")
        assert self._process.wait(60) == 0

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()

    async def hear(self, event, of, wanted=lambda _: True, after=0):
        def found():
            fitting = (each for each in self.told[after:] if each["event"] == event)
            return next((e for e in fitting if e.get("of") == of and wanted(e)), None)

        return await asyncio.to_thread(until, found, lambda: f"{event} in {self.told}")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    require_mosquitto()
    return TAHU.built(tmp_path_factory.mktemp("tahu"))


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


@pytest.fixture
def host(program, mosquitto):
    made = TahuHost(program, mosquitto)
    yield made
    made.stop()


async def test_the_reference_host_finds_all_in_order_commands_and_hears_death(
    tmp_path, mosquitto, host
):
    device = f"{NODE}/{DEVICE}"
    async with edge_node(tmp_path, host=SCADA, mqtt=mosquitto.address) as face:
        born = await host.hear("birth", device)
        shown = born["metrics"]
        assert shown[f"{OVERHEAT}/State"] == "UNACK"
        assert shown[f"{OVERHEAT}/EventId"] == alarm_record().event_id
        await host.hear("complete", NODE)
        await host.hear("complete", device)

        host.command(f"{OVERHEAT}/Ack", "0" * 32)
        await eventually(lambda: face.desk.orders)
        assert face.desk.orders == [(ALARM, "0" * 32, "ignition")]
        result = f"{OVERHEAT}/AckResult"
        await host.hear("data", device, lambda told: told["metrics"].get(result) == "Good")
        for number in range(300):  # a number of the order goes to 255
            await face.show(of_record(alarm_record(message=f"score {number}"), None))
        last = f"{OVERHEAT}/Message"
        await host.hear("data", device, lambda told: told["metrics"].get(last) == "score 299")
        births = [each for each in host.told if each["event"] == "birth" and each["of"] == NODE]
        assert len(births) == 1, "the host found a fault and asked for another birth"
    death = await host.hear("death", NODE)
    assert death["metrics"] == {"bdSeq": births[0]["metrics"]["bdSeq"]}
    await host.hear("stale", device, lambda told: told["name"] == f"{OVERHEAT}/State")
    async with edge_node(tmp_path, host=SCADA, mqtt=mosquitto.address) as face:
        again = await host.hear("birth", NODE, after=host.told.index(death))
        assert again["metrics"]["bdSeq"] == 42
        await eventually(lambda: face.problem is None)
        host.end()
        await eventually(lambda: "is not online" in (face.problem or ""))
