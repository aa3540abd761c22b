import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator import Scenario, SimulatedFurnace, furnace_ids
from numpy.typing import NDArray

from tests.support.examples import examples

NS_PER_S = 1_000_000_000
ORIGIN_NS = 1_790_000_000_123_456_789


Look = Callable[[NDArray[np.int64]], NDArray[Any]]


def a_furnace(seed: int = 1, number: int = 0) -> SimulatedFurnace:
    names = furnace_ids(2)
    return Scenario(seed, names, ORIGIN_NS, 150.0).furnace(names[number])


def times(count: int, step_s: float, first_s: float = 0.0) -> NDArray[np.int64]:
    return ORIGIN_NS + (first_s * NS_PER_S + np.arange(count) * step_s * NS_PER_S).astype(np.int64)


@examples(25)
@given(
    seed=st.integers(0, 2**40),
    offsets_ms=st.lists(st.integers(-130_000, 200_000), min_size=1, max_size=70),
    data=st.data(),
)
def test_values_do_not_depend_on_how_instants_are_batched(
    seed: int, offsets_ms: list[int], data: st.DataObject
) -> None:
    furnace = a_furnace(seed)
    instants = ORIGIN_NS + np.array(offsets_ms, dtype=np.int64) * 1_000_000
    order = np.array(data.draw(st.permutations(range(len(instants)))))
    cut = data.draw(st.integers(0, len(instants)))
    looks: tuple[Look, ...] = (furnace.frames, furnace.currents, furnace.masks)
    for look in looks:
        whole = look(instants)
        parts = np.concatenate([look(instants[order[:cut]]), look(instants[order[cut:]])])
        assert np.array_equal(parts, whole[order])


def test_two_processes_with_equal_scenarios_agree() -> None:
    instants = times(20, 0.72, 20.0)
    assert np.array_equal(a_furnace().frames(instants), a_furnace().frames(instants))


def test_seed_and_furnace_both_change_what_is_seen() -> None:
    instants = times(5, 0.72)
    pictures = [a_furnace(1, 0), a_furnace(2, 0), a_furnace(1, 1)]
    first, *others = [furnace.frames(instants).astype(int) for furnace in pictures]
    assert all(np.abs(first - other).mean() > 5 for other in others)


def test_shapes_types_and_plausible_amperes() -> None:
    furnace, instants = a_furnace(), times(300, 0.5)
    frames, currents, masks = (
        furnace.frames(instants[:7]),
        furnace.currents(instants),
        furnace.masks(instants[:7]),
    )
    assert (frames.shape, str(frames.dtype)) == ((7, 64, 64, 3), "uint8")
    assert (currents.shape, str(currents.dtype)) == ((300, 3), "float32")
    assert (masks.shape, str(masks.dtype)) == ((7, 64, 64), "uint8")
    assert currents.min() > 1000
    assert currents.max() < 12_000


def test_no_instants_give_no_values() -> None:
    furnace, none = a_furnace(), np.empty(0, dtype=np.int64)
    assert furnace.frames(none).shape == (0, 64, 64, 3)
    assert furnace.currents(none).shape == (0, 3)
    assert furnace.masks(none).shape == (0, 64, 64)


def test_nothing_is_wrong_before_the_origin_and_between_faults() -> None:
    furnace = a_furnace()
    assert not furnace.masks(times(130, 1.0, -130.0)).any()
    assert furnace.fault_at(ORIGIN_NS + 10 * NS_PER_S) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_spot_grows_during_its_fault_and_is_gone_soon_after(seed: int) -> None:
    scenario = Scenario(seed, furnace_ids(2), ORIGIN_NS, 150.0)
    for fault in scenario.faults():
        furnace = scenario.furnace(fault.furnace_id)
        ages_s = np.array([4.0, 15.0, 29.0])
        grown = furnace.masks(fault.start_ns + (ages_s * NS_PER_S).astype(np.int64)).sum(
            axis=(1, 2)
        )
        assert all(a < b for a, b in pairwise(grown))
        assert grown[0] >= 5
        assert not furnace.masks(np.array([fault.end_ns + 3 * NS_PER_S])).any()
        assert furnace.fault_at(fault.start_ns) == fault
        assert furnace.fault_at(fault.end_ns) is None


def test_a_clear_spot_is_redder_than_the_shell_around_it() -> None:
    scenario = Scenario(3, furnace_ids(2), ORIGIN_NS, 150.0)
    fault = next(fault for fault in scenario.faults() if not fault.heavy_mist)
    furnace, late = scenario.furnace(fault.furnace_id), np.array([fault.start_ns + 25 * NS_PER_S])
    frame, mask = furnace.frames(late)[0].astype(int), furnace.masks(late)[0] == 1
    redness = frame[..., 0] - frame[..., 2]
    assert redness[mask].mean() > redness[30:][~mask[30:]].mean() + 60


def test_heavy_mist_hides_most_of_the_picture() -> None:
    scenario = Scenario(3, furnace_ids(2), ORIGIN_NS, 150.0)
    contrast = {
        fault.heavy_mist: scenario.furnace(fault.furnace_id)
        .frames(fault.start_ns + np.arange(10, 20, dtype=np.int64) * NS_PER_S)
        .std(axis=(1, 2, 3))
        .mean()
        for fault in scenario.faults()
    }
    assert contrast[True] < 0.75 * contrast[False]


def test_a_fault_raises_the_currents_a_little() -> None:
    rises = []
    for seed in range(15):
        scenario = Scenario(seed, furnace_ids(2), ORIGIN_NS, 150.0)
        for fault in scenario.faults():
            furnace = scenario.furnace(fault.furnace_id)
            seconds = np.arange(6, 30, dtype=np.int64) * NS_PER_S
            during = furnace.currents(fault.start_ns + seconds).mean()
            before = furnace.currents(fault.start_ns - seconds).mean()
            rises.append(during / before - 1)
    assert 0.01 < np.mean(rises) < 0.07


def test_a_core_draws_enough_frames_for_several_cameras() -> None:
    furnace, instants = a_furnace(), times(200, 0.04, 25.0)
    best_s = min(seconds_for(lambda: furnace.frames(instants)) for _ in range(3))
    assert len(instants) / best_s > 200


def seconds_for(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
