from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator import Scenario, furnace_ids

from tests.support.examples import examples

NS_PER_S = 1_000_000_000
seeds = st.integers(0, 2**63)
origins = st.integers(1_600_000_000 * NS_PER_S, 2_000_000_000 * NS_PER_S)


def spans(scenario: Scenario, until_s: float | None = None) -> list[tuple[str, float, float]]:
    until_ns = None if until_s is None else scenario.origin_ns + int(until_s * NS_PER_S)
    return [
        (
            fault.furnace_id,
            (fault.start_ns - scenario.origin_ns) / NS_PER_S,
            (fault.end_ns - scenario.origin_ns) / NS_PER_S,
        )
        for fault in scenario.faults(until_ns)
    ]


@given(seed=seeds, origin=origins, furnaces=st.integers(2, 9))
def test_a_demo_run_has_three_faults_one_of_them_under_heavy_mist(
    seed: int, origin: int, furnaces: int
) -> None:
    scenario = Scenario(seed, furnace_ids(furnaces), origin, 150.0)
    faults = scenario.faults()
    assert {fault.furnace_id for fault in faults} == set(furnace_ids(2))
    assert len(faults) == 3
    assert sum(fault.heavy_mist for fault in faults) == 1
    for _, start_s, end_s in spans(scenario):
        assert start_s >= 20
        assert 30 <= end_s - start_s <= 45
        assert end_s <= 130


@given(seed=seeds, origin=origins, duration_s=st.floats(1, 1500))
def test_every_fault_of_a_finite_run_can_be_seen_to_end(
    seed: int, origin: int, duration_s: float
) -> None:
    scenario = Scenario(seed, furnace_ids(3), origin, duration_s)
    assert all(start >= 20 and end <= duration_s - 20 for _, start, end in spans(scenario))


@given(seed=seeds, origin=origins)
def test_a_minute_has_one_short_clear_fault_and_half_a_minute_none(seed: int, origin: int) -> None:
    (fault,) = Scenario(seed, furnace_ids(2), origin, 60.0).faults()
    assert not fault.heavy_mist
    assert Scenario(seed, furnace_ids(2), origin, 30.0).faults() == ()


def test_a_single_furnace_has_a_misty_fault_too() -> None:
    for seed in range(20):
        faults = Scenario(seed, furnace_ids(1), 0, 150.0).faults()
        assert sorted(fault.heavy_mist for fault in faults) == [False, True]


@examples(30)
@given(seed=seeds, origin=origins)
def test_an_endless_run_goes_on_with_a_fault_every_four_to_six_minutes(
    seed: int, origin: int
) -> None:
    scenario = Scenario(seed, furnace_ids(4), origin, None)
    for name in furnace_ids(4):
        starts = [start for furnace, start, _ in spans(scenario, 7200.0) if furnace == name]
        later = [start for start in starts if start > 150]
        assert len(later) >= 20
        assert all(240 <= b - a <= 360 for a, b in pairwise(later))
        assert all(b - a > 60 for a, b in pairwise(starts))


@given(seed=seeds, origin=origins, within=st.floats(0, 149))
def test_a_fault_is_found_at_any_instant_without_history(
    seed: int, origin: int, within: float
) -> None:
    scenario = Scenario(seed, furnace_ids(2), origin, 150.0)
    instant_ns = origin + int(within * NS_PER_S)
    for name in furnace_ids(2):
        expected = [
            fault
            for fault in scenario.faults()
            if fault.furnace_id == name and fault.start_ns <= instant_ns < fault.end_ns
        ]
        assert scenario.furnace(name).fault_at(instant_ns) == (expected[0] if expected else None)


def test_faults_of_an_endless_run_need_an_end() -> None:
    with pytest.raises(ValueError, match="expected until_ns, got None"):
        Scenario(1, furnace_ids(1), 0, None).faults()


def test_an_unknown_furnace_is_refused_with_the_known_names() -> None:
    with pytest.raises(KeyError, match="FMF-01"):
        Scenario(1, furnace_ids(1), 0, None).furnace("other")


def test_default_names_are_distinct_and_grouped_by_shop() -> None:
    names = furnace_ids(5)
    assert len(set(names)) == 5
    assert names[0] == "demo/smelting-1/FMF-01"
    assert names[4] == "demo/smelting-2/FMF-05"
