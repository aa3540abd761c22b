"""``meltwatch selftest`` against the whole product, as a newcomer runs it."""

import json

import pytest

from tests.support.product import RunningProduct

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_running_system_passes_its_selftest_and_nothing_stays_behind(tmp_path):
    with RunningProduct(tmp_path, "--sources", "none") as run:
        run.wait_ready()
        done = run.command("selftest", "--json", timeout_s=200)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        verdict = json.loads(done.stdout)
        alarms = {record["alarm_id"]: record for record in run.json("alarms", "list", "--all")}

    assert verdict["failures"] == []
    assert verdict["windows"]["missing"] == 0
    assert verdict["windows"]["scored"] >= 5
    assert 0 < verdict["event_to_alarm_s"] < verdict["anomaly_to_alarm_s"]
    # The whole life of one alarm, and no other.
    record = alarms.pop(verdict["alarm_id"])
    assert (record["state"], record["retain"], record["ack_by"]) == ("NORM", False, "selftest")
    assert record["title"].startswith("Self-test")
    assert alarms == {}
