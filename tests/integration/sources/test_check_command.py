"""``meltwatch sources check`` on real meters: right ones, wrong ones and none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT

pytestmark = pytest.mark.integration


def furnace(number: int, port: int, **told: Any) -> dict[str, Any]:
    current = {
        "source_id": f"m-{number}",
        "address": f"modbus+tcp://127.0.0.1:{port}?unit={UNIT}",
        "registers": {"first": FIRST},
        "expected_a": [4000.0, 9000.0],
    }
    return {"id": f"p/F-{number}", "name": str(number), "current": current | told}


def checked(path: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "meltwatch_cli", "sources", "check", *arguments]
    environ = os.environ | {"MELTWATCH_PLANT_FILE": str(path)}
    done = subprocess.run(
        [*command, "--seconds", "8"], env=environ, capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_each_meter_is_judged_by_what_it_shows(tmp_path: Path) -> None:
    path, nobody = tmp_path / "plant.yaml", 1
    with MeterProcess("modbus_meter", "socket") as meter:
        furnaces = [
            furnace(1, meter.port),
            furnace(2, meter.port, registers={"first": FIRST, "order": "cdab"}),
            furnace(3, meter.port, registers={"first": FIRST + 1}),
            furnace(4, meter.port, scale=0.05),
            furnace(5, meter.port, registers={"first": 60_000}),
            furnace(6, nobody),
            furnace(7, meter.port, phases=["a", "a", "b"]),
        ]
        path.write_text(yaml.safe_dump({"furnaces": furnaces}))
        code, out = checked(path, "--json")
        only = checked(path, "p/F-1")

    found = {each["furnace_id"].removeprefix("p/"): each for each in json.loads(out)}
    red = {
        name: {finding["code"]: finding["advice"] for finding in each["findings"]
               if finding["is_checked"]}
        for name, each in found.items()
    }  # fmt: skip
    assert code == 3, "the worst of all"
    assert {name: each["state"] for name, each in found.items()} == {
        "F-1": "good", "F-2": "red", "F-3": "red", "F-4": "red", "F-5": "red",
        "F-6": "unreachable", "F-7": "misconfigured",
    }  # fmt: skip
    assert red["F-1"] == {}
    assert "order: abcd" in red["F-2"]["wrong_byte_order"]
    assert f"first: {FIRST}" in " ".join(red["F-3"].values())
    assert red["F-4"]["wrong_scale"] == "set 'scale: 1' if the transformers' ratio is 20"
    assert "no_values" in red["F-5"]
    assert "expected a Modbus server" in found["F-6"]["why"]
    assert found["F-7"]["why"].startswith(f"{path}:")
    assert only[0] == 0
    assert only[1].splitlines()[0] == "p/F-1  current  good"
    assert "phase_order: no electrode was lifted (--lift a, b or c); not checked" in only[1]
