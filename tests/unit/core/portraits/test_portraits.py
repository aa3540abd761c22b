"""Portraits against plain definitions: loops, SciPy's like, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.portraits.features import (
    CURRENT_FEATURES,
    PATCH_FEATURES,
    current_features,
    patch_features,
)
from meltwatch_core.portraits.normal_law import fit_law
from meltwatch_core.portraits.persistence import PATCH_RISE_PER_S, follow, raw_novelty
from meltwatch_core.portraits.portrait import fit_side
from meltwatch_core.portraits.surprise import (
    FEWEST,
    TAIL_FROM,
    TooFewWindowsError,
    fit_scale,
)
from meltwatch_schemas.bounds import MAX_SURPRISE

from tests.support.examples import examples

seeds = st.integers(0, 2**32 - 1)
HOP_S = 1.44


def normal_windows(seed: int, count: int, places: int = 3, numbers: int = 4):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(places, numbers, numbers))
    features = np.einsum("pij,npj->npi", mixing, rng.normal(size=(count, places, numbers)))
    return features, np.arange(count) * HOP_S


@given(seed=seeds, pauses=st.lists(st.floats(0.1, 60.0), min_size=1, max_size=30))
@examples(30)
def test_a_level_rises_slowly_and_falls_at_once(seed: int, pauses: list[float]) -> None:
    times_s = np.cumsum(pauses)
    levels = np.random.default_rng(seed).normal(0, 3, size=(len(times_s), 5))
    before = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])

    followed = follow(levels, times_s, before, 0.0, PATCH_RISE_PER_S)

    state, at_s = before, 0.0
    for level, time_s, found in zip(levels, times_s, followed, strict=True):
        state = np.minimum(level, state + PATCH_RISE_PER_S * (time_s - at_s)).astype(np.float16)
        at_s = time_s
        np.testing.assert_array_equal(found, state)


@given(seed=seeds, cut=st.integers(1, 39))
@examples(30)
def test_who_takes_over_in_the_middle_follows_on_to_the_same_bits(seed: int, cut: int) -> None:
    levels = np.random.default_rng(seed).normal(0, 3, size=(40, 5))
    times_s = np.arange(40) * HOP_S
    whole = follow(levels, times_s, np.zeros(5), 0.0, 0.2)

    rest = follow(levels[cut:], times_s[cut:], whole[cut - 1], times_s[cut - 1], 0.2)

    np.testing.assert_array_equal(rest, whole[cut:])


@given(seed=seeds, size=st.integers(1, 7))
@examples(10)
def test_the_bits_of_a_level_do_not_depend_on_what_is_asked_beside_it(seed: int, size: int) -> None:
    features, _ = normal_windows(seed, 60, numbers=27)
    law = fit_law(features)

    parts = [law.levels(features[at : at + size]) for at in range(0, len(features), size)]

    np.testing.assert_array_equal(np.concatenate(parts), law.levels(features))


def test_the_raw_novelty_is_the_mean_of_the_four_highest_places() -> None:
    assert raw_novelty(np.array([[1.0, 9.0, 2.0, 7.0, 8.0, 6.0]])) == pytest.approx([7.5])
    assert raw_novelty(np.array([[3.0]])) == pytest.approx([3.0])


@given(seed=seeds)
@examples(20)
def test_a_place_s_level_is_its_mahalanobis_distance(seed: int) -> None:
    features, _ = normal_windows(seed, 200)

    levels = fit_law(features, own=1.0).levels(features)

    for place in range(features.shape[1]):
        off = features[:, place] - features[:, place].mean(axis=0)
        covariance = off.T @ off / len(off)
        covariance += 1e-3 * np.trace(covariance) / 4 * np.eye(4)
        square = np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
        np.testing.assert_allclose(levels[:, place], np.log(square), rtol=1e-6, atol=1e-6)


def test_a_place_that_never_changes_has_a_law_all_the_same() -> None:
    features, _ = normal_windows(1, 50)
    features[:, 1] = 7.0

    levels = fit_law(features).levels(features)

    assert np.isfinite(levels).all()


@given(seed=seeds)
@examples(20)
def test_surprise_rises_with_the_value_and_counts_what_was_held_out(seed: int) -> None:
    held_out = np.random.default_rng(seed).normal(size=500)
    scale = fit_scale(held_out)
    values = np.linspace(-6, 40, 400)

    surprises = scale.surprise(values)

    assert (np.diff(surprises) >= -1e-9).all()
    assert surprises[0] == 0
    assert surprises[-1] <= MAX_SURPRISE
    inner = np.sort(held_out)[[50, 250, 400]]
    shares = [(held_out >= value).mean() for value in inner]
    np.testing.assert_allclose(10 ** -scale.surprise(inner), shares, atol=0.01)


def test_the_tail_thins_out_and_never_ends() -> None:
    values = np.random.default_rng(1).uniform(size=2000)
    scale = fit_scale(values)

    assert scale.tail.shape >= 0
    assert pytest.approx(scale.tail.rate, abs=0.002) == 1 - TAIL_FROM
    assert 2 < scale.surprise(np.array([1.1]))[0] < MAX_SURPRISE


@pytest.mark.parametrize("values", [np.zeros(0), np.arange(FEWEST - 1.0), np.full(500, 3.0)])
def test_too_little_to_say_what_is_rare_is_refused(values: np.ndarray) -> None:
    with pytest.raises(TooFewWindowsError, match="expected"):
        fit_scale(values)


@given(seed=seeds)
@examples(10)
def test_what_is_far_outside_surprises_only_if_it_stays(seed: int) -> None:
    features, times_s = normal_windows(seed, 3000)
    side = fit_side(features, times_s, 2 * HOP_S, PATCH_RISE_PER_S)
    once, stays = features.copy(), features.copy()
    once[600] += 50.0
    stays[600:] += 50.0

    assert side.surprises(once, times_s, 2 * HOP_S)[600] < 3
    assert side.surprises(stays, times_s, 2 * HOP_S)[-1] > 4


def test_after_a_pause_following_begins_anew() -> None:
    features, times_s = normal_windows(3, 900)
    side = fit_side(features, times_s, 2 * HOP_S, PATCH_RISE_PER_S)
    features[300:] += 50.0
    late_s = np.where(np.arange(900) < 600, times_s, times_s + 3600)

    raw = side.usual.raw(features, late_s, 2 * HOP_S)

    assert raw[600] < raw[599]
    assert raw[600] == pytest.approx(raw_novelty(side.usual.median[None])[0], rel=1e-3)


@given(seed=seeds, batch=st.integers(1, 5))
@examples(10)
def test_features_of_a_window_depend_on_no_other(seed: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    clips = rng.normal(100, 30, size=(6, 10, 64, 192)).astype(np.float16)
    grids = rng.uniform(40_000, 60_000, size=(6, 240, 3)).astype(np.float32)

    video, current = patch_features(clips), current_features(grids)

    assert video.shape == (6, 64, PATCH_FEATURES)
    assert current.shape == (6, CURRENT_FEATURES)
    np.testing.assert_array_equal(patch_features(clips[:batch]), video[:batch])
    np.testing.assert_allclose(current_features(grids[:batch]), current[:batch], rtol=1e-12)


def test_a_phase_without_current_has_features_all_the_same() -> None:
    grids = np.full((2, 240, 3), 50_000.0)
    grids[:, :, 1] = 0.0

    assert np.isfinite(current_features(grids)).all()


def test_the_oldest_frames_do_not_matter() -> None:
    clips = np.random.default_rng(1).normal(100, 30, size=(2, 10, 64, 192))
    changed = clips.copy()
    changed[:, :5] = 0

    np.testing.assert_array_equal(patch_features(changed), patch_features(clips))


def test_motion_is_the_spread_of_the_newest_frames_and_a_still_patch_has_none() -> None:
    clips = np.zeros((1, 10, 64, 192))
    clips[0, 5:, 3, 1] = [0.0, 10.0, 0.0, 10.0, 0.0]

    features = patch_features(clips)

    assert features[0, 3, 1] == pytest.approx(4.0)
    assert features[0, 3, 25] == pytest.approx(np.log1p(np.std([0, 10, 0, 10, 0])))
    assert np.count_nonzero(features) == 2


def test_steady_currents_are_their_levels_and_nothing_else() -> None:
    amperes = np.array([40_000.0, 50_000.0, 60_000.0])

    features = current_features(np.tile(amperes, (1, 240, 1)))

    np.testing.assert_allclose(features[0, -4:], np.log([*amperes, amperes.mean()]))
    assert np.count_nonzero(features) == 4


@pytest.mark.parametrize(("seconds", "of_4_s", "of_40_s"), [(1.5, 0, 0), (2.5, 1, 0), (21, 1, 1)])
def test_a_rise_of_two_percent_is_one_unit_where_it_fills_more_than_half_of_a_span(
    seconds: float, of_4_s: float, of_40_s: float
) -> None:
    grid = np.full((1, 240, 3), 50_000.0)
    grid[0, -round(2 * seconds) :, 0] *= 1.02

    medians = current_features(grid)[0, [0, 24]]

    np.testing.assert_allclose(medians, [of_4_s, of_40_s], atol=1e-9)


def test_what_is_rare_is_learned_from_windows_that_did_not_make_the_law() -> None:
    features, times_s = normal_windows(5, 3000)
    features[2000:] *= 3.0

    surprises = fit_side(features, times_s, 2 * HOP_S, PATCH_RISE_PER_S).surprises(
        features[2000:], times_s[2000:], 2 * HOP_S
    )

    assert np.mean(surprises > 1) == pytest.approx(0.1, abs=0.05)


def test_a_place_leans_on_all_others_by_a_tenth() -> None:
    features, _ = normal_windows(4, 400)
    features[:, 0] *= 10.0

    alone, leaning = fit_law(features, own=1.0), fit_law(features)

    wider = (leaning.levels(features) - alone.levels(features)).mean(axis=0)
    assert wider[0] > 0, "the widest place is taken as narrower than it is"
    assert wider[1] < 0
