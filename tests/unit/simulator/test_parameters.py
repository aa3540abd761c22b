"""Furnaces inside and outside the usual ranges."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator.parameters import RANGES, Range, Traits

from tests.unit.simulator.plants import ORIGIN_NS, furnace, schedule, seconds_from

keys = st.integers(0, 2**63)
beyonds = st.floats(0.01, 0.5)


@given(keys)
def test_a_usual_furnace_lies_within_every_range(key: int) -> None:
    for name, value in asdict(Traits.of(key)).items():
        assert RANGES[name].low <= value <= RANGES[name].high


@given(key=keys, beyond=beyonds)
def test_a_furnace_beyond_lies_outside_every_range_by_no_more_than_asked(
    key: int, beyond: float
) -> None:
    for name, value in asdict(Traits.of(key, beyond)).items():
        limits = RANGES[name]
        reach = beyond * (limits.high - limits.low) + 1e-9
        assert value <= limits.low or value >= limits.high
        assert limits.low - reach <= value <= limits.high + reach


@given(keys)
def test_no_trait_loses_its_meaning_beyond(key: int) -> None:
    for name, value in asdict(Traits.of(key, 0.5)).items():
        assert value >= RANGES[name].least


@given(keys)
def test_zero_beyond_is_inside(key: int) -> None:
    assert Traits.of(key, 0.0) == Traits.of(key)


def test_both_sides_are_drawn() -> None:
    limits = Range(10, 20, "px", "as the test needs it")
    drawn = np.array([limits.draw(key, 0.3) for key in range(200)])
    assert 60 < np.sum(drawn < 10) < 140


@pytest.mark.parametrize("number", range(8))
def test_a_furnace_beyond_still_shows_its_fault(number: int) -> None:
    strange, fault = furnace(schedule(90.0), f"plant/F-{number}", beyond=0.3)
    late = seconds_from(fault.start_ns, 80)
    frame, mask = strange.frames(late)[0].astype(int), strange.masks(late)[0] == 1
    assert mask.sum() >= 5
    redness = frame[..., 0] - frame[..., 2]
    assert redness[mask].mean() > redness[30:][~mask[30:]].mean() + 20
    currents = strange.currents(ORIGIN_NS + np.arange(0, 120, dtype=np.int64) * 500_000_000)
    assert np.isfinite(currents).all()
    assert currents.min() > 500
