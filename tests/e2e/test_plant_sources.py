"""A plant's own camera and meter, as a new user plugs them in: a plant file and one command.

Both are real servers by others; what they show is simulated.
"""

import time
from pathlib import Path

import pytest
from meltwatch_schemas.record import read_score
from meltwatch_simulator import Scenario

from tests.support.furnace_site import furnace_site
from tests.support.product import RunningProduct
from tests.support.records import records_of

pytestmark = [pytest.mark.long, pytest.mark.e2e]
FURNACE = "plant/hall/F1"
LEAD_S = 170
"""Until something is wrong: the start of all servers, and a look-back of two minutes."""


def test_a_camera_and_a_meter_are_seen_scored_and_raise_the_alarm_of_a_fault(
    tmp_path: Path,
) -> None:
    begun_ns = time.time_ns()
    origin_ns = begun_ns + LEAD_S * 1_000_000_000
    scenario = Scenario(1, (FURNACE,), origin_ns, None)
    with furnace_site(scenario.furnace(FURNACE)) as site:
        plant = site.write_plant_file(tmp_path)
        with RunningProduct(tmp_path, "--plant", str(plant)) as run:
            kafka = run.wait_ready()["kafka"]

            def statuses() -> dict[str, float]:
                """When the first score of each status was published, s after the beginning."""
                firsts: dict[str, float] = {}
                for record in records_of(kafka, "meltwatch.scores.v1"):
                    score = read_score(record)
                    since_s = (score.times.published_ns - begun_ns) / 1e9
                    firsts.setdefault(score.status.value, since_s)
                return firsts

            run.wait_until(lambda: "degraded" in statuses() or None, 240)
            run.wait_until(lambda: "scored" in statuses() or None, 240)
            alarm = run.wait_until(
                lambda: next(
                    (
                        each
                        for each in run.json("alarms", "list", codes=(0, 1, 3))
                        if each["alarm_id"] == f"{FURNACE}/OVERHEAT"
                    ),
                    None,
                ),
                300,
            )
            (first, *_) = records_of(kafka, "meltwatch.embeddings.v1")
            heard_s = first.timestamp_ms / 1e3 - begun_ns / 1e9
            found = {status: round(at_s - heard_s, 1) for status, at_s in statuses().items()}
            print(f"first scores, s after the camera's first record: {found}")
            print(f"that record, s after the command: {heard_s:.1f}")

            run.wait_until(
                lambda: states(run) == {"video": "running", "current": "running"} or None, 60
            )
            site.meter.kill()
            run.wait_until(lambda: lost(run, "CURRENT_LOST"), 240)
            run.wait_until(
                lambda: states(run) == {"video": "running", "current": "waiting"} or None, 60
            )
    assert alarm["equipment_path"] == FURNACE


def lost(run: RunningProduct, condition: str) -> bool | None:
    """Tell whether an alarm says that a modality is lost."""
    listed = run.json("alarms", "list", codes=(0, 1, 3))
    return any(each["alarm_id"] == f"{FURNACE}/{condition}" for each in listed) or None


def states(run: RunningProduct) -> dict[str, str]:
    """What the run says of its sources."""
    listed = run.json("sources", "list", codes=(0, 1))
    return {each["modality"]: each["state"] for each in listed["sources"]}
