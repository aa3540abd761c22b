import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.screen.follow_metrics import COUNTERS, Readings, readings_of
from meltwatch_local_cluster.screen.observer import Observer, fold
from meltwatch_schemas.alarm import HEARTBEAT_SCHEMA
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import JSON, RawRecord, headers_for
from meltwatch_schemas.score import SCHEMA, encode_score
from pydantic import ValidationError

from tests.support.run_snapshots import ORIGIN_NS, at, heartbeat
from tests.support.timed_records import FURNACE, alarm_record, window_score


def record(topic: str, value: bytes | None, timestamp_ms: int | None = None, headers=()):
    return RawRecord(
        topic=f"a.dotted.prefix.{topic}.v1",
        partition=0,
        offset=0,
        timestamp_ms=ORIGIN_NS // 1_000_000 if timestamp_ms is None else timestamp_ms,
        key=FURNACE.encode(),
        value=value,
        headers=tuple(headers),
    )


def score_record(second: float) -> RawRecord:
    value = encode_score(window_score(FURNACE, at(second), last_ingest_ns=ORIGIN_NS))
    return record("scores", value, headers=headers_for(SCHEMA))


@pytest.fixture
def run():
    return ObservedRun([FURNACE], ORIGIN_NS)


def test_each_topic_is_folded_into_its_place(run):
    raised = alarm_record(raised_s=10)
    beat = heartbeat(5).to_json()
    records = [
        score_record(1.0),
        record("alarms", raised.to_json()),
        record("heartbeats", beat, headers=headers_for(HEARTBEAT_SCHEMA, JSON)),
        record("late", b"anything"),
        record("dead-letters", b"anything", headers=[("dlq.error", b"malformed")]),
        record("dead-letters", None),
    ]

    changed = [alarm for one in records if (alarm := fold(run, one))]

    assert changed == [raised]
    assert run.live == {"scored": 1}
    assert run.heartbeat == heartbeat(5)
    assert run.late == 1
    assert run.dead_letters == {"malformed": 1, "unknown": 1}


def test_what_was_refused_before_the_run_is_not_its_own(run):
    before_ms = ORIGIN_NS // 1_000_000 - 1

    fold(run, record("late", b"", before_ms))
    fold(run, record("dead-letters", b"", before_ms))

    assert (run.late, run.dead_letters) == (0, {})


def test_a_decommissioned_alarm_changes_nothing(run):
    assert fold(run, record("alarms", None)) is None


@pytest.mark.parametrize("topic", ["scores", "alarms", "heartbeats"])
def test_a_record_that_is_not_what_its_topic_promises_is_refused(run, topic):
    with pytest.raises((ContractViolation, ValidationError)):
        fold(run, record(topic, b"\xff nonsense", headers=headers_for(SCHEMA)))


class FakeFollower:
    """Hands out prepared batches, one a poll."""

    def __init__(self, *batches: list[RawRecord]) -> None:
        self.batches = list(batches)
        self.problem = None

    def poll(self, timeout_ms):
        return self.batches.pop(0) if self.batches else []

    def lag(self):
        return sum(map(len, self.batches))


def test_an_observer_counts_what_it_cannot_read_and_goes_on(run):
    follower = FakeFollower([record("scores", b"nonsense"), score_record(1.0)])
    observer = Observer(follower, run, lambda: None, ManualClock())

    assert observer.look(0) == []
    assert observer.unreadable == 1
    assert run.live == {"scored": 1}


def test_catching_up_takes_in_all_that_is_there(run):
    batches = ([score_record(number * 1.44)] for number in range(1, 9))
    observer = Observer(FakeFollower(*batches), run, lambda: None, ManualClock())

    observer.catch_up()

    assert run.live == {"scored": 8}


def readings(skipped: float, late: float) -> Readings:
    counters = dict.fromkeys(COUNTERS, 0.0) | {"skipped": skipped}
    return Readings(counters, {(FURNACE, "late"): late})


def test_counters_are_read_once_a_second_and_add_up_over_restarts(run):
    clock = ManualClock()
    shown = iter([readings(5, late=3), None, readings(2, late=1)])
    observer = Observer(FakeFollower(), run, lambda: next(shown), clock)

    for _ in range(3):
        observer.look(0)
        observer.look(0)
        clock.advance(1_000_000_000)

    assert observer.counters.total("skipped") == 7
    assert observer.irregularities() == {FURNACE: {"late": 4}}


def test_counters_are_found_in_the_text_of_prometheus():
    text = (
        "# TYPE meltwatch_windows counter\n"
        'meltwatch_windows_total{status="scored"} 12.0\n'
        'meltwatch_windows_total{status="skipped"} 3.0\n'
        "# TYPE meltwatch_duplicates counter\n"
        'meltwatch_duplicates_total{modality="video"} 1.0\n'
        'meltwatch_duplicates_total{modality="current"} 4.0\n'
        "# TYPE meltwatch_furnace_irregularities counter\n"
        'meltwatch_furnace_irregularities_total{furnace="f",modality="video",kind="late"} 2.0\n'
        'meltwatch_furnace_irregularities_total{furnace="f",modality="current",kind="late"} 5.0\n'
        'meltwatch_furnace_irregularities_total{furnace="g",modality="video",kind="late"} 1.0\n'
    )

    assert readings_of(text) == Readings(
        {"skipped": 3.0, "duplicates": 5.0}, {("f", "late"): 7.0, ("g", "late"): 1.0}
    )
    assert readings_of("") == Readings({"skipped": 0.0, "duplicates": 0.0}, {})
