"""A process that hangs is told from a loop that is stuck, and both from waiting for Kafka."""

import pytest
from meltwatch_chassis.dependencies import KAFKA, Dependencies
from meltwatch_chassis.loop_vitals import HUNG_NS, STALLED_NS, LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def dependencies(clock: ManualClock) -> Dependencies:
    return Dependencies(Metrics(), clock)


@pytest.fixture
def vitals(clock: ManualClock, dependencies: Dependencies) -> LoopVitals:
    return LoopVitals(clock, dependencies)


def test_nothing_that_runs_is_told_first(clock: ManualClock, vitals: LoopVitals) -> None:
    clock.advance(HUNG_NS)
    assert vitals.progress() is None
    clock.advance(1)
    assert vitals.progress() == "expected a beat every second, the last was 15 s ago"
    vitals.beat()
    assert vitals.progress() is None


def test_a_loop_that_looks_no_more_is_stuck(clock: ManualClock, vitals: LoopVitals) -> None:
    clock.advance(STALLED_NS + 1)
    vitals.beat()
    assert vitals.progress() == "expected a look at the topics, the last was 60 s ago"
    vitals.note_look()
    assert vitals.progress() is None


def test_waiting_for_kafka_is_not_being_stuck(
    clock: ManualClock, dependencies: Dependencies, vitals: LoopVitals
) -> None:
    dependencies.tell(KAFKA, "probe", "no answer")
    clock.advance(2 * STALLED_NS)
    vitals.beat()
    assert vitals.progress() is None
