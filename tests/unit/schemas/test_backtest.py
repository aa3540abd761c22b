"""What two backtests do not have in common, and nothing else."""

import json
from typing import Any

from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.backtest import BacktestRun, difference_of

from tests.support.backtest_folders import ALARM, at, run_of, told


def run(**changes: Any) -> BacktestRun:
    return BacktestRun.from_json(json.dumps(run_of(**changes)).encode())


def test_a_run_differs_from_itself_in_nothing():
    found = difference_of(run(), run())
    assert found.facts == []
    assert found.raises.sentence == "raises: 2 → 2; at the same instants; 0 more, 0 fewer"


def test_only_what_differs_is_named():
    other = run(run_id="other", ours=(110,), thresholds={"all": [3.5, None]})
    found = difference_of(run(), other)
    assert {each.name: (each.a, each.b) for each in found.facts} == {
        "thresholds asked for": ("as recorded", "all: 3.5 / own"),
        f"raises of {ALARM}": ("2", "1"),
    }
    assert (found.raises.more, found.raises.fewer) == (0, 1)
    (both, lacking) = found.raises.occasions
    assert (both.shift_s, lacking.before, lacking.after) == (0.0, at(302.5), None)


def test_another_portrait_is_something_that_was_asked_for():
    other = run(portraits={"plant/hall/F1": "ab" * 32}, thresholds={"all": [3.5, None]})
    named = f"portrait of plant/hall/F1: {'ab' * 8}"
    assert run().tried == "as recorded"
    assert other.tried == f"all: 3.5 / own, {named}"
    facts = {each.name: (each.a, each.b) for each in difference_of(run(), other).facts}
    assert facts == {
        "thresholds asked for": ("as recorded", "all: 3.5 / own"),
        "portraits asked for": ("as recorded", named),
    }


def test_of_raises_only_the_span_of_both_counts():
    later = run(ours=(302.5, 700), **{"from": told(200), "to": told(800)})
    found = difference_of(run(), later)
    assert (found.from_, found.to) == (at(200), at(600))
    assert [each.before for each in found.raises.occasions] == [at(302.5)]
    apart = difference_of(run(), run(**{"from": told(600), "to": told(800)}))
    assert (apart.from_, apart.raises) == (None, None)


def test_what_was_judged_is_said_of_either():
    judged = run_of()
    judged["answer"]["occasions"][1]["verdict"] = "false_alarm"
    one = BacktestRun.from_json(json.dumps(judged).encode())
    occasions = difference_of(run(ours=(110,)), one).raises.occasions
    assert [each.verdict for each in occasions] == [None, AlarmVerdict.FALSE_ALARM]


def test_without_an_answer_raises_are_not_made_up():
    early = run_of()
    del early["answer"]
    found = difference_of(run(), BacktestRun.from_json(json.dumps(early).encode()))
    assert found.raises is None
