import numpy as np
import pytest
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.fusion import fit_fusion
from meltwatch_trainer.judge.row_calibration import choose_threshold

from tests.unit.trainer.synthetic_scores import synthetic_scores

RULE = AlarmRule()
BUDGET = Budget(false_alarms=1.0, quantile=0.98)
"""Synthetic runs have one kind of peak, and few of them."""
EASY = {"a": 5.0, "b": 5.5, "c": 5.2}


def test_a_threshold_comes_with_its_basis() -> None:
    scores = synthetic_scores(1, EASY)
    logits = fit_fusion(scores, tuple(EASY), "both").logits(scores)
    basis = choose_threshold(scores, logits, RULE, BUDGET)
    assert basis.low <= basis.logit_on <= basis.high
    assert basis.refusal is None
    assert basis.clusters <= basis.exceedances <= 0.02 * basis.windows + 1
    assert basis.tail.rate_above(basis.logit_on) == pytest.approx(1.0, rel=0.01)
    assert "false alarms per furnace-day budgeted at 1:" in basis.text()
    assert "\n" not in basis.text()


def test_a_smaller_budget_needs_a_higher_threshold() -> None:
    scores = synthetic_scores(1, EASY)
    logits = fit_fusion(scores, tuple(EASY), "both").logits(scores)
    many, few = (
        choose_threshold(scores, logits, RULE, Budget(false_alarms=budget)) for budget in (5.0, 0.2)
    )
    assert few.logit_on > many.logit_on


def test_faults_do_not_move_a_threshold() -> None:
    scores = synthetic_scores(1, EASY)
    logits = scores.logits["a/both"].astype(float)
    louder = logits + 50.0 * (scores.label == 1)
    assert (
        choose_threshold(scores, logits, RULE, BUDGET).logit_on
        == choose_threshold(scores, louder, RULE, BUDGET).logit_on
    )


def test_a_threshold_is_refused_where_normal_operation_is_too_short() -> None:
    scores = synthetic_scores(1, EASY, furnaces=2)
    basis = choose_threshold(scores, scores.logits["a/both"].astype(float), RULE, BUDGET)
    assert basis.refusal is not None
    assert "separate peaks" in basis.refusal


def test_a_threshold_is_refused_where_faults_do_not_stand_out() -> None:
    scores = synthetic_scores(1, {"a": 0.0})
    basis = choose_threshold(scores, scores.logits["a/both"].astype(float), RULE, BUDGET)
    assert basis.refusal is not None
    assert "margin" in basis.refusal


def test_scores_that_are_all_alike_have_no_tail() -> None:
    scores = synthetic_scores(1, EASY, furnaces=2)
    with pytest.raises(ScoresError, match="expected normal windows that differ"):
        choose_threshold(scores, np.zeros(len(scores.run)), RULE, BUDGET)
