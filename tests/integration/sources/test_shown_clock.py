"""``meltwatch sources clock`` before a real camera that sees this host's clock."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from meltwatch_sources.adapters.qr_code import drawn_code
from meltwatch_sources.domain.shown_clock import STEP_NS, shown_text

from tests.support.cameras import showing_camera

pytestmark = [pytest.mark.integration]
SIDE, RATE, ZOOM = 480, 10, 8


def seen() -> np.ndarray:
    """A screen with the code, on grey."""
    now_ns = time.time_ns()
    dark = drawn_code(shown_text(now_ns - now_ns % STEP_NS)).repeat(ZOOM, 0).repeat(ZOOM, 1)
    picture = np.full((SIDE, SIDE, 3), 110, dtype=np.uint8)
    picture[100 : 100 + len(dark), 80 : 80 + len(dark)] = np.where(dark, 16, 235)[..., None]
    return picture


def plant_file(folder: Path, address: str, **delay: float) -> Path:
    video = {"source_id": "cam", "address": address, "clock": "arrival"} | delay
    furnaces = [{"id": "p/F-1", "name": "Furnace", "video": video}]
    file = folder / "plant.yaml"
    file.write_text(yaml.safe_dump({"furnaces": furnaces}))
    return file


def test_a_camera_that_sees_the_clock_tells_its_delay_whatever_was_written(
    tmp_path, command, monkeypatch
):
    with showing_camera(SIDE, RATE, seen, STEP_NS / 1e9) as address:
        delays = []
        for written in ({}, {"camera_delay_s": 0.7}):
            file = plant_file(tmp_path, address, **written)
            monkeypatch.setenv("MELTWATCH_PLANT_FILE", str(file))
            code, said, why = command("sources", "clock", "p/F-1", "--seconds", "10", "--json")
            assert code in {0, 1}, why
            facts = json.loads(said)
            assert facts["camera_delay_s"] == written.get("camera_delay_s")
            assert facts["shown_in"] >= 5
            assert facts["shown_spread_s"] >= 0
            delays.append(facts["shown_delay_s"])
    # The light is here at once: what is left is encoding, and what a busy machine makes of it.
    assert all(0 < delay < 2 for delay in delays)
    assert abs(delays[0] - delays[1]) < 0.5, "0.7 s were counted in the one, 0.15 in the other"


def test_the_clock_is_shown_on_a_terminal_alone(command):
    code, _, why = command("sources", "clock", "--show")
    assert (code, "expected a terminal" in why) == (2, True)
    code, _, why = command("sources", "clock")
    assert (code, "expected a furnace, or --show" in why) == (2, True)
    code, _, why = command("sources", "clock", "p/F-1", "--show")
    assert (code, "expected a furnace, or --show" in why) == (2, True)
