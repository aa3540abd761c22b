"""Clients of OPC UA that we did not write: they come late, refresh, and acknowledge by name."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from meltwatch_schemas.alarm_list import newest

from tests.integration.scada_adapter.bench import PASSWORD
from tests.support.source import ROOT
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, score

pytestmark = pytest.mark.integration
NODE_CLIENT = ROOT / "tests" / "foreign" / "node_opcua"
SERVER, CONDITION, ACKNOWLEDGEABLE = "ns=0;i=2253", "ns=0;i=2782", "ns=0;i=2881"
LIMIT_S = 120


@pytest.fixture(scope="session")
def node_opcua() -> Path:
    """node-opcua; CI installs it. It is no part of what Meltwatch needs to be built and tested."""
    if shutil.which("node") is None or not (NODE_CLIENT / "node_modules").is_dir():
        pytest.skip(
            "needs the foreign client node-opcua: install Node, then `npm ci` in "
            "tests/foreign/node_opcua (CI does)"
        )
    return NODE_CLIENT


def run_node(adapter, user, node, of_type="-", acknowledging=()):
    """What node-opcua sees, as a dictionary."""
    pki = str(adapter.folder / "pki")
    said = subprocess.run(
        ["node", "client.js", adapter.url, user, PASSWORD, pki, node, of_type, *acknowledging],
        cwd=NODE_CLIENT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    return json.loads(said.stdout.splitlines()[-1])


def test_node_opcua_sees_what_was_raised_before_and_acknowledges_it(
    node_opcua, broker, view, make_manager, make_adapter
):
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (record,) = broker.wait_alarms(1)
        adapter = make_adapter().start().wait_serving()
        for node in (SERVER, f"ns=2;s={FURNACE}"):
            for of_type in ("-", CONDITION, ACKNOWLEDGEABLE):
                seen = run_node(adapter, "zhang.min", node, of_type)
                condition = f"ns=2;s={ALARM_ID}"
                (event,) = [e for e in seen["events"] if e["condition_id"] == condition]
                assert event["event_id"] == record.event_id
                assert event["acked"] is False
        refused = run_node(adapter, "zhang.min", SERVER, "-", [ALARM_ID, "I may not"])
        assert refused["acknowledged"] == "BadUserAccessDenied"
        done = run_node(adapter, "li.wei", SERVER, "-", [ALARM_ID, "seen"])
        assert done["acknowledged"] == "Good"
        until(lambda: newest(broker.alarms())[ALARM_ID].state == "ACKED", "acknowledged")
        acked = newest(broker.alarms())[ALARM_ID]
        assert (acked.state, acked.ack_by) == ("ACKED", "li.wei")
        stored = f"{broker.prefix}:alarm:{ALARM_ID}"
        until(lambda: view.hget(stored, "seq") == str(acked.seq), "the same in Redis")
