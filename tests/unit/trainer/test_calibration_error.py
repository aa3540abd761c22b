import numpy as np
import pytest
from meltwatch_core.alarms.setpoints.bootstrap import estimate, resample
from meltwatch_trainer.judge.calibration_error import judge_doubt, reliability

UNITS = 10


def claims(seed: int, boldness: float, shift: float = 0.0) -> tuple[np.ndarray, ...]:
    """Return log-odds ``boldness`` times what they should be, truth and units, one in nine hot."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(60_000) < 1 / 9
    # Two normals one apart: the log-odds at equal shares are the score itself.
    scores = rng.normal(np.where(anomalous, 1.0, -1.0) / 1.0, np.sqrt(2.0))
    return boldness * scores + shift, anomalous, rng.integers(0, UNITS, len(scores))


def test_honest_log_odds_have_no_error_whatever_the_share_of_anomalies() -> None:
    found = estimate(reliability(*claims(1, 1.0), resample(UNITS, 200)).error)
    assert found.value < 0.01
    assert found.low <= found.value <= found.high < 0.02


def test_the_error_is_how_far_claims_are_from_what_is_found() -> None:
    """Log-odds moved by 1 claim tanh(1/4) too much at even odds, less where they are sure."""
    found = reliability(*claims(2, 1.0, shift=1.0), resample(UNITS, 2))
    assert 0.1 < found.error[0] < np.tanh(0.25)
    assert (found.claimed[0] > found.found[0]).all()


def test_claims_that_are_too_bold_show_on_both_sides() -> None:
    found = reliability(*claims(3, 3.0), resample(UNITS, 2))
    gap = found.claimed[0] - found.found[0]
    assert gap[0] < -0.02
    assert gap[-1] > 0.02


def test_bins_have_equal_mass() -> None:
    found = reliability(*claims(4, 1.0), resample(UNITS, 2))
    assert found.mass[0] == pytest.approx(np.full(15, 1 / 15), abs=2e-3)


def test_log_odds_that_are_all_alike_share_one_bin() -> None:
    anomalous = np.array([True, False, True, False])
    found = reliability(np.zeros(4), anomalous, np.array([0, 0, 1, 1]), resample(2, 2))
    assert found.error[0] == pytest.approx(0.0)
    assert np.isfinite(found.claimed[0]).sum() == 1


def test_doubt_is_judged_by_where_the_errors_are() -> None:
    wrong = np.arange(100) >= 80
    telling = judge_doubt(np.arange(100.0), wrong)
    assert telling.separation == 1.0
    assert telling.error_by_quartile == pytest.approx((0.0, 0.0, 0.0, 0.8))
    misleading = judge_doubt(-np.arange(100.0), wrong)
    assert misleading.separation == 0.0
    assert np.isnan(judge_doubt(np.arange(4.0), np.zeros(4, bool)).separation)
