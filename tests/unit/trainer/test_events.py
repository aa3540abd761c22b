import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_trainer.judge.events import LATE_S, match, normal_s, rate_bounds
from scipy.stats import poisson

STARTS_S, ENDS_S = np.array([100.0, 700.0]), np.array([160.0, 760.0])
times = st.lists(st.integers(0, 1000).map(float), max_size=20).map(sorted)


def test_an_alarm_shows_the_fault_that_it_is_raised_in_or_shortly_after() -> None:
    matching = match([100.0, 160.0 + LATE_S], STARTS_S, ENDS_S)
    assert matching.raised_s.tolist() == [100.0, np.inf]
    assert matching.repeats == 1
    assert match([760.0 + LATE_S], STARTS_S, ENDS_S).raised_s.tolist() == [np.inf, 766.0]


def test_an_alarm_that_stands_when_a_fault_begins_is_false_and_shows_nothing() -> None:
    matching = match([99.0], STARTS_S, ENDS_S)
    assert matching.false_s == (99.0,)
    assert np.isinf(matching.raised_s).all()


def test_faults_that_touch_are_shown_by_an_alarm_each() -> None:
    starts_s, ends_s = np.array([100.0, 163.0]), np.array([160.0, 200.0])
    matching = match([164.0, 165.0], starts_s, ends_s)
    assert matching.raised_s.tolist() == [164.0, 165.0]
    assert matching.repeats == 0


@given(times)
def test_every_alarm_counts_exactly_once(raised_s: list[float]) -> None:
    matching = match(raised_s, STARTS_S, ENDS_S)
    shown = int(np.isfinite(matching.raised_s).sum())
    assert shown + matching.repeats + len(matching.false_s) == len(raised_s)


@given(times, st.integers(0, 1000).map(float))
def test_one_more_alarm_never_hides_a_fault(raised_s: list[float], more_s: float) -> None:
    before = match(raised_s, STARTS_S, ENDS_S).raised_s
    after = match(sorted([*raised_s, more_s]), STARTS_S, ENDS_S).raised_s
    assert (after <= before).all()


def test_normal_time_leaves_out_faults_and_their_after_glow_once() -> None:
    assert normal_s(1000.0, STARTS_S, ENDS_S) == 1000 - 2 * (60 + LATE_S)
    overlapping = normal_s(1000.0, np.array([100.0, 163.0]), np.array([160.0, 200.0]))
    assert overlapping == 1000 - (200 + LATE_S - 100)
    assert normal_s(150.0, STARTS_S[:1], ENDS_S[:1]) == 100.0


@given(st.integers(0, 50), st.floats(0.1, 100.0))
def test_bounds_are_the_rates_at_which_the_count_becomes_unlikely(
    count: int, exposure: float
) -> None:
    low, high = rate_bounds(count, exposure)
    assert low <= count / exposure <= high
    assert poisson.cdf(count, high * exposure) == pytest.approx(0.025)
    if count:
        assert poisson.sf(count - 1, low * exposure) == pytest.approx(0.025)


def test_nothing_seen_still_allows_about_three_in_the_time_watched() -> None:
    assert rate_bounds(0, 2.0, level=0.9)[1] == pytest.approx(3 / 2, rel=0.01)
