"""A furnace with a real camera and a real meter, which show what the simulator makes of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from meltwatch_simulator import SimulatedFurnace
from numpy.typing import NDArray

from tests.support.cameras import showing_camera
from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT

SIDE, RATE, ZOOM = 384, 5, 6
_STEP_S = 0.2


@dataclass
class FurnaceSite:
    """The camera and the meter of one furnace.

    Attributes
    ----------
    camera
        Address of its stream.
    meter
        The Modbus server.
    furnace
        What they show, as time goes on.
    """

    camera: str
    meter: MeterProcess
    furnace: SimulatedFurnace

    def write_plant_file(self, folder: Path) -> Path:
        """Write a plant file that names both, as a plant engineer does."""
        video = {
            "source_id": "camera-1",
            "address": self.camera,
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
    with MeterProcess("modbus_meter", "socket") as meter:

        def seen() -> NDArray[np.uint8]:
            now = np.array([time.time_ns()], dtype=np.int64)
            (picture,), (amperes,) = furnace.frames(now), furnace.currents(now)
            with suppress(AssertionError, OSError, ValueError):  # killed by the test
                meter.tell("show " + " ".join(map(str, amperes.tolist())))
            return picture.repeat(ZOOM, 0).repeat(ZOOM, 1)

        with showing_camera(SIDE, RATE, seen, _STEP_S) as url:
            yield FurnaceSite(url, meter, furnace)
