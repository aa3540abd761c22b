import io
import json

import pytest
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.domain.summary import Measured, summarise
from meltwatch_local_cluster.screen.presenters import summary_table
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator.schedule import Fault
from rich.console import Console

from tests.support.timed_records import FURNACE, NOON, SECOND_NS, alarm_record, window_score

ORIGIN_NS = ns_from_utc(NOON)
STRANGER = "stranger/F1"


def at(second: float) -> int:
    return ORIGIN_NS + round(second * SECOND_NS)


def fault(start_s: float, end_s: float) -> Fault:
    return Fault(FURNACE, at(start_s), at(end_s), "semi_molten", heavy_mist=True)


def observed(*raised_s: float, until_s: float = 150, lost: int = 0) -> ObservedRun:
    """A run with every live window scored but for the first ``lost`` ones."""
    run = ObservedRun([FURNACE], ORIGIN_NS)
    run.add_score(window_score(FURNACE, at(-10), latency_s=11, last_ingest_ns=at(0)))
    end_ns = PUBLISHED_SPEC.first_end_after(FURNACE, ORIGIN_NS) + lost * PUBLISHED_SPEC.hop_ns
    while end_ns < at(until_s):
        run.add_score(window_score(FURNACE, end_ns, latency_s=0.5))
        end_ns += PUBLISHED_SPEC.hop_ns
    for seq, second in enumerate(raised_s):
        run.add_alarm(alarm_record(seq=seq, raised_s=second, published_after_s=2.0))
    return run


def summary_of(run: ObservedRun, *faults: Fault, ended_s: float = 150):
    measured = Measured(ended_ns=at(ended_s), skipped=3, duplicates=4)
    return summarise(run, faults, measured, seed=7)


def test_a_good_run_has_the_fields_of_the_contract_and_no_problem():
    run = observed(25.0, 97.5)
    run.late, run.dead_letters["malformed"] = 1, 2

    summary = summary_of(run, fault(20, 50), fault(90, 121))

    assert summary.problems() == []
    content = json.loads(summary.to_json())
    assert content.pop("problems") == []
    assert content.pop("warm_up_s") == 10
    assert content.pop("backfill") == {"scored": 1, "degraded": 0, "unscored": 0}
    assert content == {
        "duration_s": 150.0,
        "seed": 7,
        "furnaces": 1,
        "faults": [
            {
                "furnace_id": FURNACE,
                "start": "2026-11-22T12:00:20.000000Z",
                "end": "2026-11-22T12:00:50.000000Z",
                "detected": True,
                "delay_s": 5.0,
                "alarm_id": f"{FURNACE}/OVERHEAT",
                "heavy_mist": True,
            },
            {
                "furnace_id": FURNACE,
                "start": "2026-11-22T12:01:30.000000Z",
                "end": "2026-11-22T12:02:01.000000Z",
                "detected": True,
                "delay_s": 7.5,
                "alarm_id": f"{FURNACE}/OVERHEAT",
                "heavy_mist": True,
            },
        ],
        "false_alarms": 0,
        "windows": {"scored": 104, "degraded": 0, "unscored": 0, "skipped": 3},
        "late": 1,
        "duplicates": 4,
        "dead_letters": 2,
        "event_to_score_s": {"p50": 0.5, "p95": 0.5, "p99": 0.5},
        "event_to_alarm_s": {"p50": 2.0, "p95": 2.0, "p99": 2.0},
    }


def test_a_missed_fault_makes_a_run_bad():
    summary = summary_of(observed(), fault(20, 50))

    (problem,) = summary.problems()
    assert problem == (
        f"{FURNACE}: expected an alarm between 12:00:20Z and 12:01:05Z, got none: "
        "the fault was missed"
    )
    (told,) = json.loads(summary.to_json())["faults"]
    assert (told["detected"], told["delay_s"], told["alarm_id"]) == (False, None, None)


def test_a_fault_whose_time_was_not_over_is_not_missed():
    run = observed(until_s=60)

    assert summary_of(run, fault(20, 50), ended_s=60).problems() == []
    assert len(summary_of(run, fault(20, 45), ended_s=60).problems()) == 1


def test_a_false_alarm_makes_a_run_bad_and_a_strangers_alarm_does_not():
    run = observed(80.0)
    run.add_alarm(alarm_record(f"{STRANGER}/OVERHEAT", raised_s=30))

    summary = summary_of(run)

    assert summary.problems() == [f"{FURNACE}/OVERHEAT: false alarm at 12:01:20Z"]
    assert json.loads(summary.to_json())["false_alarms"] == 1


def test_many_false_alarms_are_told_in_few_lines():
    problems = summary_of(observed(*range(60, 90, 2))).problems()

    assert len(problems) == 11
    assert problems[-1] == "and 5 more false alarms"


@pytest.mark.parametrize(("lost", "bad"), [(0, False), (8, False), (9, True)])
def test_losing_more_than_a_twentieth_of_the_live_windows_makes_a_run_bad(lost, bad):
    assert bool(summary_of(observed(lost=lost)).problems()) is bad


def test_a_furnace_that_never_spoke_owes_all_its_windows():
    summary = summary_of(ObservedRun([FURNACE], ORIGIN_NS))

    (problem,) = summary.problems()
    assert "95% of 101 live ones" in problem
    assert "got 0" in problem


def test_without_simulated_furnaces_nothing_is_judged():
    run = ObservedRun([], ORIGIN_NS)
    run.add_score(window_score(STRANGER, at(3), probability=None))
    run.add_alarm(alarm_record(f"{STRANGER}/OVERHEAT", raised_s=30))

    summary = summarise(run, (), Measured(ended_ns=at(60)), seed=None)

    content = json.loads(summary.to_json())
    assert summary.problems() == []
    assert (content["faults"], content["false_alarms"], content["seed"]) == ([], 0, None)
    assert content["event_to_score_s"] == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_tells_what_was_detected_and_the_verdict(width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(summary_table(summary_of(observed(25.0), fault(20, 50), fault(70, 100))))
    text = console.export_text()

    assert "12:00:20-12:00:50Z" in text
    assert "5.0 s" in text
    assert "✖ no" in text
    assert "✖ bad: 1" in text
    assert max(map(len, text.splitlines())) <= width
