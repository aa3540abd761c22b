"""The product without sources of its own: a newcomer's self-test, and a visit of a stranger.

One run serves both, in any order.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.stranger.test_stranger import SCRIPT
from tests.support.product import RunningProduct

pytestmark = [pytest.mark.e2e]
LISTED = (0, 1, 3)
"""Exit codes of a list: all furnaces watched, some blind (a stranger's), or itself stale."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProduct]:
    with RunningProduct(tmp_path_factory.mktemp("run"), "--sources", "none") as product:
        product.wait_ready()
        yield product


def test_a_running_system_passes_its_selftest_and_nothing_stays_behind(
    run: RunningProduct,
) -> None:
    done = run.command("selftest", "--json", timeout_s=400)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    verdict = json.loads(done.stdout)
    listed = run.json("alarms", "list", "--all", codes=LISTED)

    assert verdict["failures"] == []
    assert verdict["windows"]["missing"] == 0
    assert verdict["windows"]["scored"] >= 5
    assert 0 < verdict["event_to_alarm_s"] < verdict["anomaly_to_alarm_s"]
    # The whole life of one alarm, and no other.
    alarms = {each["alarm_id"]: each for each in listed if not is_of_stranger(each["alarm_id"])}
    record = alarms.pop(verdict["alarm_id"])
    assert (record["state"], record["retain"], record["ack_by"]) == ("NORM", False, "selftest")
    assert record["title"].startswith("Self-test")
    assert alarms == {}


def is_of_stranger(alarm_id: str) -> bool:
    return alarm_id.startswith("stranger/")


def test_a_stranger_finds_windows_alarms_and_dead_letters_as_the_contract_says(
    run: RunningProduct,
) -> None:
    visit = subprocess.run(
        [sys.executable, SCRIPT],
        cwd=run.folder,
        env=run.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )

    assert visit.returncode == 0, f"{visit.stdout}\n{visit.stderr}"
