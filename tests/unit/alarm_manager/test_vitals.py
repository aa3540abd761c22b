from meltwatch_alarm_manager.vitals import MANAGER, PROJECTOR, SILENT_NS, STALLED_NS, Vitals
from meltwatch_chassis.testing import ManualClock


def test_both_loops_must_be_well_to_be_ready():
    vitals = Vitals(ManualClock())
    vitals.is_well(MANAGER)
    assert vitals.readiness() == "projector: not yet connected to Redis"
    vitals.is_well(PROJECTOR)
    assert vitals.readiness() is None
    vitals.is_unwell(PROJECTOR, "Redis is away")
    assert vitals.readiness() == "projector: Redis is away"


def test_trying_in_vain_is_progress_and_standing_still_is_not():
    clock = ManualClock()
    vitals = Vitals(clock)
    clock.advance(STALLED_NS)
    assert vitals.progress() is None
    vitals.is_unwell(PROJECTOR, "Redis is away")
    clock.advance(1)
    assert vitals.progress() == "manager: no answer for 60 s"
    vitals.got_on(MANAGER)
    assert vitals.progress() is None


def test_a_loop_that_waits_for_an_answer_is_not_ready_long_before_it_counts_as_stuck():
    clock = ManualClock()
    vitals = Vitals(clock)
    vitals.is_well(MANAGER)
    vitals.is_well(PROJECTOR)
    clock.advance(SILENT_NS + 1)
    vitals.got_on(PROJECTOR)
    assert vitals.readiness() == "manager: no answer for 10 s"
    assert vitals.progress() is None
