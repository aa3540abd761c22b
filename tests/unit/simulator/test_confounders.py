"""What resembles a fault, means nothing, and comes with or without one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator import amperes, mist
from meltwatch_simulator import parameters as p
from meltwatch_simulator.disturbances import Event, melt_light, occasional
from meltwatch_simulator.lookalikes import Lookalikes
from meltwatch_simulator.parameters import NS_PER_S, Range, Traits
from meltwatch_simulator.randomness import key_of
from meltwatch_simulator.still import draw_still

from tests.unit.simulator.plants import ORIGIN_NS, calm

keys = st.integers(0, 2**63)
DAY = ORIGIN_NS + np.arange(0, 86_400, 2, dtype=np.int64) * NS_PER_S


def lookalikes(key: int) -> Lookalikes:
    traits = Traits.of(key)
    return Lookalikes(traits, draw_still(traits, key), key)


def event(slot: int, ages_s: np.ndarray) -> Event:
    same = np.full(ages_s.shape, slot, dtype=np.int64)
    return Event(ages_s, same, np.ones(ages_s.shape, dtype=bool))


@given(key=keys, slot=st.integers(0, 2**40))
def test_a_splash_is_bright_within_a_second_and_then_only_cools_and_shrinks(
    key: int, slot: int
) -> None:
    ages_s = np.linspace(0, p.SPLASH_LENGTH.high, 200)
    splash = lookalikes(key).splash(event(slot, ages_s))
    after = ages_s >= 1.0
    assert ages_s[np.argmax(splash.warmth)] <= 1.0
    assert splash.warmth.max() > 0.9
    assert splash.warmth[-1] == 0
    assert np.all(np.diff(splash.warmth[after]) <= 0)
    for shrinking in (splash.radius, splash.green):
        assert np.all(np.diff(shrinking) <= 0)


@given(key=keys, slot=st.integers(0, 2**40), since_s=st.integers(0, 10**6))
def test_a_reflection_flickers_in_step_with_the_melt(key: int, slot: int, since_s: int) -> None:
    ages_s = np.arange(2.0, 8.0, 0.1)
    melt = melt_light(key, ORIGIN_NS + ((since_s + ages_s) * NS_PER_S).astype(np.int64))
    reflection = lookalikes(key).reflection(event(slot, ages_s), melt)
    assert np.allclose(reflection.warmth, melt)


def rate_per_hour(key: int, slot_s: float, chance: float) -> float:
    seen = occasional(key, DAY, slot_s, chance)
    return len(np.unique(seen.slot[seen.happens])) / 24


def test_steam_without_a_fault_comes_ten_times_as_often_as_a_veiled_fault() -> None:
    rates = [
        rate_per_hour(key_of(n, "steam"), mist.STEAM_SLOT_S, Traits.of(n).steam_chance)
        for n in range(40)
    ]
    # The study's faults: four of five slots of ten minutes have one.
    assert np.mean(rates) > 10 * p.VEILED_SHARE * 6 * 0.8


@pytest.mark.parametrize(
    ("longest_s", "slot_s"),
    [
        (p.STEAM_LENGTH.high, mist.STEAM_SLOT_S),
        (p.HEAVY_MIST_LENGTH.high, mist.MIST_SLOT_S),
        (p.MOVE_HOLD.high + 2 * p.MOVE_RAMP.high, amperes.MOVE_SLOT_S),
        (p.TAP_HOLD.high + 2 * amperes.TAP_RAMP_S, amperes.TAP_SLOT_S),
        (p.UNREST_LENGTH.high, amperes.UNREST_SLOT_S),
    ],
)
def test_every_event_ends_within_its_slot(longest_s: float, slot_s: float) -> None:
    """It begins in the first half; what outlasts the slot would be cut off at once."""
    assert longest_s <= slot_s / 2


@pytest.mark.parametrize("key", range(3))
def test_an_electrode_move_shifts_one_phase_by_a_documented_amount(key: int) -> None:
    shifts = amperes.electrode_moves(Traits.of(key), key, DAY)
    assert np.all((shifts != 0).sum(axis=1) <= 1)
    assert within(np.abs(shifts).max(), p.MOVE_SHIFT)
    assert shifts.min() < 0 < shifts.max()


@pytest.mark.parametrize("key", range(3))
def test_a_tap_change_shifts_all_phases_alike_either_way(key: int) -> None:
    shifts = amperes.tap_changes(Traits.of(key), key, DAY)
    assert shifts.shape == DAY.shape
    assert within(np.abs(shifts).max(), p.TAP_SHIFT)
    assert shifts.min() < 0 < shifts.max()


def test_arcs_are_restless_now_and_then() -> None:
    unrest = amperes.unrest(Traits.of(1), 1, DAY)
    assert 0.02 < np.mean(unrest > 0) < 0.5
    assert within(unrest.max(), p.UNREST)


def within(value: float, limits: Range) -> bool:
    return limits.low <= value <= limits.high


def test_nothing_jumps_at_the_border_of_a_slot() -> None:
    """Apart from drop-outs, a second changes a healthy level by little."""
    times_ns = ORIGIN_NS + np.arange(0, 7200 * 4, dtype=np.int64) * (NS_PER_S // 4)
    traits = Traits.of(9)
    level = amperes.healthy(traits, 9, times_ns)
    assert max(np.abs(b - a).max() for a, b in pairwise(level)) < 0.03


def test_a_calm_furnace_has_no_truth_whatever_it_shows() -> None:
    assert not calm().masks(DAY[::60]).any()
    assert not calm().strength(DAY[::60]).any()
