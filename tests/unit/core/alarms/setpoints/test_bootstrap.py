import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.setpoints.bootstrap import (
    estimate,
    ratio,
    resample,
    unit_sums,
    weighted_quantiles,
)


def test_the_first_resample_is_the_sample_and_all_draw_equally_many() -> None:
    weights = resample(7, count=20)
    assert weights[0].tolist() == [1.0] * 7
    assert set(weights.sum(axis=1)) == {7.0}


def test_intervals_of_a_mean_cover_the_truth_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(4)
    weights = resample(40, count=400)
    covered = 0
    for _ in range(200):
        found = estimate(weights @ rng.normal(3.0, 1.0, 40) / 40)
        covered += found.low <= 3.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_infinity_is_a_value_and_a_missing_figure_is_left_out() -> None:
    found = estimate(np.array([1.0, 0.0, np.nan, np.inf]))
    assert (found.low, found.high) == (0.0, np.inf)
    nothing = estimate(np.array([1.0, np.nan]))
    assert np.isnan(nothing.low)


def test_an_interval_on_one_side_of_zero_excludes_it() -> None:
    assert estimate(np.array([0.2, 0.1, 0.3])).excludes_zero
    assert not estimate(np.array([0.2, -0.1, 0.3])).excludes_zero


def test_sums_are_per_unit_and_a_share_of_nothing_is_unknown() -> None:
    sums = unit_sums(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2]), 3)
    assert sums.tolist() == [1.0, 0.0, 6.0]
    assert np.isnan(ratio(sums, np.array([1.0, 0.0, 2.0]))[1])


@given(
    st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any), st.sampled_from([0.5, 0.95])
)
def test_a_weighted_quantile_is_that_of_the_values_repeated(
    weights: list[int], share: float
) -> None:
    values = np.array([5.0, np.inf, 1.0])
    repeated = np.repeat(values, weights)
    found = weighted_quantiles(values, np.array([weights], dtype=float), share)
    assert found[0] == np.quantile(repeated, share, method="inverted_cdf")
