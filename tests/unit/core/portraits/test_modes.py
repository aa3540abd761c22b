"""Modes of normal operation: who has one is as before, and nothing is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.portraits.modes import (
    FEWEST_OF_A_MODE,
    LawOfModes,
    NotFiniteError,
    fit_modes,
    sorted_into,
)
from meltwatch_core.portraits.normal_law import fit_law
from meltwatch_core.portraits.persistence import PATCH_RISE_PER_S, follow
from meltwatch_core.portraits.portrait import fit_side

from tests.support.examples import examples

seeds = st.integers(0, 2**32 - 1)
HOP_S = 1.44
PLACES, NUMBERS = 6, 4


def clear_and_steaming(seed: int, clear: int, steaming: int):
    """Windows of two kinds in turns, and which ones steam: those differ more among themselves."""
    rng = np.random.default_rng(seed)
    steams = rng.permutation(np.arange(clear + steaming) >= clear)
    features = 0.2 * rng.normal(size=(len(steams), PLACES, NUMBERS))
    features[steams] = 12.0 + 7.5 * features[steams]
    return features, steams


@given(seed=seeds, count=st.integers(2, 200))
@examples(20)
def test_one_mode_is_the_one_law_bit_by_bit(seed: int, count: int) -> None:
    features = np.random.default_rng(seed).normal(size=(count, PLACES, NUMBERS))

    law, one = fit_modes(features, 1), fit_law(features)

    assert len(law.modes) == 1
    np.testing.assert_array_equal(law.levels(features), one.levels(features))


@given(seed=seeds)
@examples(20)
def test_what_is_halfway_between_two_kinds_is_like_neither(seed: int) -> None:
    features, _ = clear_and_steaming(seed, 400, 150)
    halfway = np.full((1, PLACES, NUMBERS), 6.0)

    one, two = (fit_modes(features, count) for count in (1, 2))

    assert np.quantile(one.levels(features), 0.5) > one.levels(halfway).max()
    assert np.quantile(two.levels(features), 0.999) < two.levels(halfway).min()


@given(seed=seeds, clear=st.integers(100, 400), steaming=st.integers(FEWEST_OF_A_MODE, 99))
@examples(20)
def test_windows_are_sorted_by_their_kind(seed: int, clear: int, steaming: int) -> None:
    features, steams = clear_and_steaming(seed, clear, steaming)

    kinds = sorted_into(fit_law(features).levels(features), 2)

    assert (kinds == kinds[np.argmax(steams)]).tolist() == steams.tolist()


@given(seed=seeds, count=st.integers(1, 5))
@examples(20)
def test_nothing_is_drawn_and_every_kind_is_large_enough(seed: int, count: int) -> None:
    levels = np.random.default_rng(seed).normal(size=(400, PLACES))

    kinds = sorted_into(levels, count)

    np.testing.assert_array_equal(kinds, sorted_into(levels.copy(), count))
    sizes = np.bincount(kinds)
    assert len(sizes) <= count
    assert sizes.min() >= min(FEWEST_OF_A_MODE, 400)


@pytest.mark.parametrize("steaming", [20, FEWEST_OF_A_MODE - 1])
def test_a_kind_of_too_few_windows_is_no_mode(steaming: int) -> None:
    features, _ = clear_and_steaming(1, 400, steaming)

    assert len(fit_modes(features, 2).modes) == 1


@pytest.mark.parametrize("windows", [2, 3, FEWEST_OF_A_MODE])
def test_fewer_windows_than_two_modes_need_are_one(windows: int) -> None:
    features = np.random.default_rng(1).normal(size=(windows, PLACES, NUMBERS))

    law = fit_modes(features, 4)

    assert len(law.modes) == 1
    assert np.isfinite(law.levels(features)).all()


def test_windows_that_are_all_alike_are_one_mode() -> None:
    features = np.full((500, PLACES, NUMBERS), 7.0)

    law = fit_modes(features, 3)

    assert len(law.modes) == 1
    assert np.isfinite(law.levels(features)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_before_it_is_followed(bad: float) -> None:
    features, _ = clear_and_steaming(1, 400, 100)
    law = fit_modes(features, 2)
    features[3, 2, 1] = bad

    with pytest.raises(NotFiniteError, match="expected finite features, got 1 of 500 windows not"):
        fit_modes(features, 2)
    with pytest.raises(NotFiniteError, match="got 1 of 500"):
        law.levels(features)


@given(seed=seeds, size=st.integers(1, 7), cut=st.integers(1, 59))
@examples(10)
def test_any_cut_of_the_stream_gives_the_same_bits(seed: int, size: int, cut: int) -> None:
    features, _ = clear_and_steaming(seed, 300, 100)
    law = fit_modes(features, 2)
    assert len(law.modes) == 2
    asked, times_s = features[:60], np.arange(60) * HOP_S

    levels = law.levels(asked)
    parts = [law.levels(asked[at : at + size]) for at in range(0, len(asked), size)]
    np.testing.assert_array_equal(np.concatenate(parts), levels)

    whole = follow(levels, times_s, np.zeros(PLACES), 0.0, PATCH_RISE_PER_S)
    rest = law.levels(asked[cut:])
    later = follow(rest, times_s[cut:], whole[cut - 1], times_s[cut - 1], PATCH_RISE_PER_S)
    np.testing.assert_array_equal(later, whole[cut:])


@given(seed=seeds)
@examples(10)
def test_a_level_is_the_least_of_the_modes_and_their_order_does_not_matter(seed: int) -> None:
    features, _ = clear_and_steaming(seed, 300, 100)
    law = fit_modes(features, 2)

    levels = law.levels(features)

    first, second = (mode.levels(features) for mode in law.modes)
    np.testing.assert_array_equal(levels, np.minimum(first, second))
    np.testing.assert_array_equal(LawOfModes(law.modes[::-1]).levels(features), levels)


def test_a_side_of_two_modes_takes_what_lies_between_them_for_a_surprise() -> None:
    features, _ = clear_and_steaming(2, 2400, 600)
    times_s = np.arange(3000) * HOP_S
    between = features.copy()
    between[600:] = 6.0

    one, two = (fit_side(features, times_s, 2 * HOP_S, PATCH_RISE_PER_S, n) for n in (1, 2))

    assert one.surprises(between, times_s, 2 * HOP_S)[-1] < 3
    assert two.surprises(between, times_s, 2 * HOP_S)[-1] > 4
