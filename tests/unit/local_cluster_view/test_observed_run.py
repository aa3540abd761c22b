from datetime import timedelta

import pytest
from meltwatch_local_cluster.domain import observed_run
from meltwatch_local_cluster.domain.fault_matching import Raise
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_schemas.instants import ns_from_utc

from tests.support.timed_records import FURNACE, NOON, SECOND_NS, alarm_record, window_score

ORIGIN_NS = ns_from_utc(NOON)


def at(second: float) -> int:
    return ORIGIN_NS + round(second * SECOND_NS)


@pytest.fixture
def run():
    return ObservedRun([FURNACE], ORIGIN_NS)


def test_windows_are_live_once_the_run_and_the_furnaces_producers_have_begun(run):
    sent_ns = at(2)
    for end_s in (-10, 1, 1.9):
        run.add_score(window_score(FURNACE, at(end_s), latency_s=3 - end_s, last_ingest_ns=sent_ns))
    for end_s in (2.5, 12):  # while everything starts
        run.add_score(window_score(FURNACE, at(end_s), latency_s=9.0))
    for end_s in (12.1, 13):
        run.add_score(window_score(FURNACE, at(end_s), latency_s=0.5))

    assert run.backfill == {"scored": 3}
    assert run.live == {"scored": 4}
    assert run.event_to_score.percentiles() == {"p50": 0.5, "p95": 0.5, "p99": 0.5}


def test_a_window_is_counted_once_however_often_it_is_delivered(run):
    first, second = window_score(FURNACE, at(1)), window_score(FURNACE, at(2.44), probability=None)

    noted = [run.add_score(score) for score in (first, first, second, first, second)]

    assert noted == [True, False, True, False, False]
    assert run.live + run.backfill == {"scored": 1, "unscored": 1}
    assert list(run.furnaces[FURNACE].recent) == [0.1, None]


def test_what_was_published_before_the_run_or_by_a_replay_is_left_out(run):
    assert not run.add_score(window_score(FURNACE, at(-9), latency_s=1))
    assert not run.add_score(window_score(FURNACE, at(5), run_id="r1"))
    assert not run.add_alarm(alarm_record(raised_s=-9, published_after_s=1))
    assert not run.add_alarm(alarm_record(raised_s=5, run_id="r1"))
    assert (run.live, run.standing_alarms(), list(run.raises)) == ({}, [], [])


def test_an_occurrence_is_raised_once_however_often_it_is_annunciated(run):
    transitions = [
        alarm_record(seq=1, raised_s=10),
        alarm_record(seq=1, raised_s=10),
        alarm_record(state="ACKED", seq=2, raised_s=10),
        alarm_record(seq=3, raised_s=10),
        alarm_record(state="NORM", seq=4, raised_s=10),
        alarm_record(seq=5, raised_s=70),
    ]

    noted = [run.add_alarm(record) for record in transitions]

    assert noted == [True, False, True, True, True, True]
    assert list(run.raises) == [
        Raise(FURNACE, f"{FURNACE}/OVERHEAT", at(10)),
        Raise(FURNACE, f"{FURNACE}/OVERHEAT", at(70)),
    ]
    assert run.event_to_alarm.percentiles()["p50"] == 1.0


def test_a_system_alarm_stands_and_is_no_raise(run):
    run.add_alarm(alarm_record(f"{FURNACE}/CAM_STALE", raised_s=3, **{"class": "system"}))

    assert len(run.standing_alarms()) == 1
    assert not run.raises


def test_an_alarm_without_raise_time_counts_from_its_condition(run):
    run.add_alarm(alarm_record(raised_s=10, raise_time=None))

    assert run.raises[0].raise_ns == ns_from_utc(NOON + timedelta(seconds=10 - 4.32))


def test_furnaces_and_alarms_are_bounded(run, monkeypatch):
    monkeypatch.setattr(observed_run, "MAX_FURNACES", 2)
    monkeypatch.setattr(observed_run, "MAX_ALARMS", 1)

    assert [run.add_score(window_score(name, at(1))) for name in ("x", "y")] == [True, False]
    assert [run.add_alarm(alarm_record(f"{name}/A")) for name in ("x", "y")] == [True, False]
    assert run.add_score(window_score(FURNACE, at(1)))
