"""A furnace with a real camera and a real meter, which show what the simulator makes of it."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_simulator import SimulatedFurnace

from tests.support.cameras import SYSTEM_PYTHON, need_gstreamer
from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT
from tests.support.source import ROOT

SIDE, RATE, ZOOM = 384, 5, 6
_STEP_S = 0.2


@dataclass
class FurnaceSite:
    """The camera and the meter of one furnace.

    Attributes
    ----------
    camera_port
        Of the RTSP server.
    meter
        The Modbus server.
    furnace
        What they show, as time goes on.
    """

    camera_port: int
    meter: MeterProcess
    furnace: SimulatedFurnace

    def write_plant_file(self, folder: Path) -> Path:
        """Write a plant file that names both, as a plant engineer does."""
        video = {
            "source_id": "camera-1",
            "address": f"rtsp://127.0.0.1:{self.camera_port}/furnace",
        }
        current = {
            "source_id": "meter-1",
            "address": f"modbus+tcp://127.0.0.1:{self.meter.port}?unit={UNIT}",
            "registers": {"first": FIRST},
        }
        name = self.furnace.furnace_id
        furnace = {"id": name, "name": "Furnace 1", "video": video, "current": current}
        file = folder / "plant.yaml"
        file.write_text(yaml.safe_dump({"furnaces": [furnace]}, sort_keys=False))
        return file


@contextmanager
def furnace_site(furnace: SimulatedFurnace) -> Iterator[FurnaceSite]:
    """Start a camera and a meter that show a simulated furnace at the present time."""
    need_gstreamer()
    (port,) = free_ports(1)
    command = [
        SYSTEM_PYTHON,
        ROOT / "tests/support/gst_furnace.py",
        str(port),
        str(SIDE),
        str(RATE),
    ]
    stop = threading.Event()
    with (
        MeterProcess("modbus_meter", "socket") as meter,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as camera,
    ):
        assert camera.stdin is not None
        assert camera.stdout is not None
        assert camera.stdout.readline() == b"ready\n"

        def show() -> None:
            while not stop.wait(_STEP_S):
                now = np.array([time.time_ns()], dtype=np.int64)
                (picture,) = furnace.frames(now)
                camera.stdin.write(picture.repeat(ZOOM, 0).repeat(ZOOM, 1).tobytes())
                camera.stdin.flush()
                (amperes,) = furnace.currents(now)
                with suppress(AssertionError, OSError, ValueError):  # killed by the test
                    meter.tell("show " + " ".join(map(str, amperes.tolist())))

        showing = threading.Thread(target=show)
        showing.start()
        try:
            yield FurnaceSite(port, meter, furnace)
        finally:
            stop.set()
            showing.join()
            camera.kill()
