from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.setpoints.extremes import (
    Tail,
    cluster_maxima,
    fit_tail,
    resampled_values,
)
from meltwatch_core.alarms.setpoints.held_level import AlarmRule, held_levels

HOP_S = 1.44
RULE = AlarmRule()
series = st.lists(st.integers(-8, 8).map(float), min_size=1, max_size=50)


@pytest.fixture(scope="module")
def genpareto() -> Any:
    """The generalised Pareto law of SciPy, which takes a second to import: only where it runs."""
    from scipy.stats import genpareto as law  # noqa: PLC0415

    return law


def ar1(rng: np.random.Generator, size: int, memory: float = 0.9) -> np.ndarray:
    """Return a stationary Gaussian series of unit variance."""
    from scipy.signal import lfilter  # noqa: PLC0415 - a second, only where it runs

    innovations = rng.normal(0, np.sqrt(1 - memory**2), size)
    innovations[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -memory], innovations))


@given(series, st.integers(-8, 8).map(float), st.integers(0, 10).map(float))
def test_clusters_are_apart_and_their_maxima_are_the_highest(
    values: list[float], level: float, apart_s: float
) -> None:
    times_s, heights = np.arange(len(values)) * 1.0, np.array(values)
    peaks = cluster_maxima(times_s, heights, level, apart_s)
    above = np.flatnonzero(heights > level)
    assert (len(peaks) > 0) == (len(above) > 0)
    if len(above):
        assert heights[peaks].max() == heights.max()
        breaks = [b - a > apart_s for a, b in pairwise(above)]
        assert len(peaks) == 1 + sum(breaks)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4])
def test_the_fit_finds_the_law_that_made_the_excesses(genpareto: Any, shape: float) -> None:
    excesses = genpareto.rvs(shape, scale=2.0, size=20_000, random_state=3)
    tail = fit_tail(excesses, level=1.0, exposure=10.0)
    assert tail.shape == pytest.approx(shape, abs=0.03)
    assert tail.scale == pytest.approx(2.0, rel=0.03)
    assert tail.value_of(2.0) == pytest.approx(1 + genpareto.isf(1e-3, shape, scale=2.0), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_at_least_as_likely_as_that_of_scipy(genpareto: Any, seed: int) -> None:
    excesses = genpareto.rvs(0.1, scale=0.7, size=80, random_state=seed)
    tail = fit_tail(excesses, level=0.0, exposure=1.0)
    shape, _, scale = genpareto.fit(excesses, floc=0)
    ours = genpareto.logpdf(excesses, tail.shape, scale=tail.scale).sum()
    assert ours >= genpareto.logpdf(excesses, shape, scale=scale).sum() - 1e-2


@given(st.floats(-0.5, 0.8), st.floats(0.1, 5.0), st.floats(0.01, 50.0))
def test_a_rate_and_its_value_are_inverse_above_the_level(
    shape: float, scale: float, rate: float
) -> None:
    tail = Tail(level=-1.0, shape=shape, scale=scale, rate=50.0)
    assert tail.rate_above(tail.value_of(rate)) == pytest.approx(rate, rel=1e-4)


def test_a_rate_above_that_of_the_level_gives_the_level() -> None:
    assert Tail(level=2.0, shape=0.1, scale=1.0, rate=3.0).value_of(5.0) == 2.0


def test_a_resample_that_draws_each_cluster_twice_in_twice_the_time_changes_nothing(
    genpareto: Any,
) -> None:
    excesses = genpareto.rvs(-0.1, scale=1.0, size=100, random_state=1)
    tail = fit_tail(excesses, level=0.0, exposure=2.0)
    weights, exposures = np.full((1, 100), 2.0), np.array([4.0])
    again = resampled_values(tail, excesses, weights, exposures, rate=0.5)
    assert again == pytest.approx([tail.value_of(0.5)])


def test_a_resample_that_draws_no_cluster_has_no_value() -> None:
    excesses = np.array([0.5, 1.0, 2.0])
    tail = fit_tail(excesses, level=0.0, exposure=1.0)
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    values = resampled_values(tail, excesses, weights, np.ones(2), rate=0.5)
    assert np.isnan(values).tolist() == [False, True]


def test_thresholds_keep_the_budget_on_operation_that_was_not_seen() -> None:
    """Twenty calibrations of 20 furnace-hours each, held against 100 days of the same process."""
    rng = np.random.default_rng(5)
    held = held_levels(ar1(rng, 100 * int(86_400 / HOP_S)), HOP_S, RULE)
    times_s = np.arange(len(held)) * HOP_S
    per_day = int(20 * 3600 / HOP_S)
    rates = []
    for _ in range(20):
        seen = held_levels(ar1(rng, per_day), HOP_S, RULE)[:-10]
        level = float(np.quantile(seen, 0.98))
        peaks = cluster_maxima(times_s[: len(seen)], seen, level, 60.0)
        chosen = fit_tail(seen[peaks] - level, level, exposure=20 / 24).value_of(2.0)
        rates.append(len(cluster_maxima(times_s, held, chosen, 60.0)) / 100)
    assert 1.0 <= np.median(rates) <= 4.0
