from meltwatch_alarm_manager.vitals import MANAGER, PROJECTOR, SILENT_NS, ManagerVitals
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.loop_vitals import HUNG_NS, STALLED_NS
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.window import NS_PER_S


class Bench:
    """Vitals whose clock moves when told."""

    def __init__(self) -> None:
        self.clock, self.metrics = ManualClock(), Metrics()
        self.dependencies = Dependencies(self.metrics, self.clock)
        self.vitals = ManagerVitals(self.clock, self.dependencies, self.metrics)

    def advance(self, step_ns: int) -> None:
        """Let time pass in a process that runs."""
        self.clock.advance(step_ns)
        self.vitals.beat()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def test_both_loops_must_be_well_to_be_ready():
    vitals = Bench().vitals
    vitals.note_working(MANAGER)
    assert vitals.readiness() == "projector: not yet connected to Redis"
    vitals.note_working(PROJECTOR)
    assert vitals.readiness() is None
    vitals.note_problem(PROJECTOR, "Redis is away")
    assert vitals.readiness() == "projector: Redis is away"


def test_a_dependency_that_is_away_is_named_before_anything_else():
    bench = Bench()
    bench.dependencies.tell("redis", "probe", "no answer within 6 s")
    assert bench.vitals.readiness() == "Redis: no answer within 6 s"


def test_trying_in_vain_is_progress_and_standing_still_is_not():
    bench = Bench()
    vitals = bench.vitals
    bench.advance(STALLED_NS)
    assert vitals.progress() is None
    vitals.note_problem(PROJECTOR, "Redis is away")
    bench.advance(1)
    assert vitals.progress() == "manager: no answer for 60 s"
    vitals.note_progress(MANAGER)
    assert vitals.progress() is None


def test_who_waits_for_a_dependency_that_is_away_is_not_stuck():
    bench = Bench()
    bench.dependencies.tell("kafka", "probe", "no answer within 6 s")
    bench.advance(10 * STALLED_NS)
    assert bench.vitals.progress() is None
    bench.dependencies.tell("kafka", "probe", None)
    bench.advance(STALLED_NS)
    assert bench.vitals.progress() is None
    bench.advance(1)
    assert bench.vitals.progress() == "manager: no answer for 60 s; projector: no answer for 60 s"


def test_a_process_that_hangs_is_stuck_whatever_is_away():
    bench = Bench()
    bench.dependencies.tell("kafka", "probe", "no answer within 6 s")
    bench.clock.advance(HUNG_NS + 1)
    assert bench.vitals.progress() == "expected a beat every second, the last was 15 s ago"


def test_a_loop_that_waits_for_an_answer_is_not_ready_long_before_it_counts_as_stuck():
    bench = Bench()
    vitals = bench.vitals
    vitals.note_working(MANAGER)
    vitals.note_working(PROJECTOR)
    bench.advance(SILENT_NS + 1)
    vitals.note_progress(PROJECTOR)
    assert vitals.readiness() == "manager: no answer for 10 s"
    assert vitals.progress() is None


def test_who_leads_and_how_long_its_commits_wait_are_shown():
    bench = Bench()
    age = "meltwatch_commit_age_seconds"
    assert bench.value("meltwatch_leader") == 0
    with bench.vitals.leading():
        assert bench.value("meltwatch_leader") == 1
        bench.vitals.commits.note_waiting()
        bench.advance(3_500_000_000)
        assert bench.value(age, service="alarm_manager") == 3.5
    assert bench.value("meltwatch_leader") == 0
    assert bench.value(age, service="alarm_manager") == 0


def test_the_view_grows_old_while_the_projector_cannot_write():
    bench = Bench()
    bench.vitals.note_working(PROJECTOR)
    bench.advance(3 * NS_PER_S)
    bench.vitals.note_working(MANAGER)
    bench.vitals.note_problem(PROJECTOR, "Redis is away")
    assert bench.value("meltwatch_view_age_seconds") == 3
    bench.vitals.note_working(PROJECTOR)
    assert bench.value("meltwatch_view_age_seconds") == 0
