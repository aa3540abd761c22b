import json

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.topics import Topic
from meltwatch_selftest.domain.verdict import SelftestVerdict
from meltwatch_selftest.pipeline import Limits, SelfTest

from tests.support.builders import NOON_NS
from tests.unit.selftest.system import PREFIX, System, WatchedFurnace

FURNACE = "selftest/0badcafe/F-1"


def visit(*faults: str) -> tuple[SelftestVerdict, System]:
    clock = ManualClock(NOON_NS)
    furnace = WatchedFurnace(FURNACE, "0123456789abcdef", NOON_NS)
    system = System(clock, furnace, f"{FURNACE}/OVERHEAT", set(faults))
    told: list[str] = []
    test = SelfTest(furnace, system, system, PREFIX, clock, told.append)
    return test.run_course(Limits(patience_s=5, budget_s=5, settling_s=5)), system


def test_a_system_that_does_everything_right_passes():
    verdict, system = visit()

    assert verdict.failures == ()
    assert verdict.passed
    assert verdict.windows["scored"] >= 3
    assert verdict.windows["missing"] == 0
    assert 0 < verdict.anomaly_to_alarm_s < 5
    assert json.loads(json.dumps(verdict.to_object()))["passed"] is True
    assert system.state == "NORM"


@pytest.mark.parametrize(
    ("fault", "expectation"),
    [
        ("deaf", "expected a live window with a verdict on both modalities within 5 s, got none"),
        ("blind", "expected an alarm within 5 s, got none; "),
        ("gap", "expected a window of every number, 1 are missing"),
        ("unscored", "expected every live window scored, 1 are not, the first for model_unavail"),
        ("no_view", "expected the alarm in Redis within 5 s"),
        ("refuses", "expected the acknowledgement done, got not today"),
        ("garbles", "meltwatch.alarms.v1: "),
        ("stuck", "expected the alarm back to normal within 5 s"),
    ],
)
def test_each_fault_of_a_system_fails_its_expectation(fault, expectation):
    verdict, _ = visit(fault)

    assert not verdict.passed
    assert verdict.failures[0].startswith(expectation)


@pytest.mark.parametrize("fault", [(), ("deaf",)], ids=["passed", "failed"])
def test_the_alarm_point_says_that_nobody_is_in_danger_and_is_taken_back(fault):
    _, system = visit(*fault)

    (off,) = [record for record in system.sent if record.topic is Topic.FURNACE_STATES]
    assert (off.key, FurnaceState.from_json(off.value or b"").state) == (FURNACE.encode(), "off")
    first, *_, last = [record for record in system.sent if record.topic is Topic.ALARM_POINTS]
    assert AlarmPoint.from_json(first.value).title == "Self-test: no furnace is in danger"
    assert (last.key, last.value) == (f"{FURNACE}/OVERHEAT".encode(), None)


def test_nothing_is_written_under_another_furnaces_key():
    _, system = visit()

    assert {record.key for record in system.sent} == {
        FURNACE.encode(),
        f"{FURNACE}/OVERHEAT".encode(),
    }
