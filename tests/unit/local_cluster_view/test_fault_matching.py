from itertools import combinations, permutations

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_local_cluster.domain.fault_matching import (
    TOLERANCE_NS,
    Raise,
    false_alarms,
    match,
    tells_of,
)
from meltwatch_simulator.schedule import Fault

from tests.support.examples import examples

SECOND_NS = 1_000_000_000


def fault(start_s: int, end_s: int, furnace_id: str = "f") -> Fault:
    return Fault(
        furnace_id, start_s * SECOND_NS, end_s * SECOND_NS, "semi_molten", heavy_mist=False
    )


def raised(at_s: float, furnace_id: str = "f") -> Raise:
    return Raise(furnace_id, f"{furnace_id}/OVERHEAT", round(at_s * SECOND_NS))


FAULTS = st.lists(
    st.builds(
        lambda start, length, name: fault(start, start + length, name),
        st.integers(0, 120),
        st.integers(1, 45),
        st.sampled_from("fg"),
    ),
    max_size=5,
    unique=True,
)
RAISES = st.lists(st.builds(raised, st.integers(0, 180), st.sampled_from("fg")), max_size=5)


def most_pairs(faults: list[Fault], raises: list[Raise]) -> int:
    """Return the size of the largest pairing, by trying them all."""
    for size in range(min(len(faults), len(raises)), 0, -1):
        for some in combinations(faults, size):
            for order in permutations(raises, size):
                if all(tells_of(r, f) for f, r in zip(some, order, strict=True)):
                    return size
    return 0


@given(FAULTS, RAISES)
@examples(100)
def test_greedy_matching_finds_as_many_pairs_as_brute_force(faults, raises):
    found = match(faults, raises)

    assert all(tells_of(r, f) for f, r in found.items())
    assert len(found) == most_pairs(faults, raises)
    for one in found.values():
        assert list(found.values()).count(one) <= raises.count(one)


@given(FAULTS, RAISES, st.randoms())
def test_matching_does_not_depend_on_order(faults, raises, random):
    before = match(faults, raises)
    random.shuffle(raises)
    random.shuffle(faults)

    assert len(match(faults, raises)) == len(before)


def test_a_raise_tells_of_a_fault_from_its_start_to_15_s_after_its_end():
    one = fault(20, 50)

    assert not tells_of(raised(19.999), one)
    assert tells_of(raised(20), one)
    assert tells_of(raised(50 + TOLERANCE_NS / SECOND_NS), one)
    assert not tells_of(raised(65.001), one)
    assert not tells_of(raised(30, "g"), one)


def test_a_fault_is_paired_with_its_first_raise():
    assert match([fault(20, 50)], [raised(40), raised(25)]) == {fault(20, 50): raised(25)}


def test_one_raise_tells_of_one_fault_only():
    faults = [fault(20, 30), fault(25, 60)]

    assert match(faults, [raised(28)]) == {faults[0]: raised(28)}


def test_false_alarms_are_raises_of_our_furnaces_outside_every_fault():
    raises = [raised(70), raised(10), raised(25), raised(26), raised(10, "stranger")]

    assert false_alarms([fault(20, 50)], raises, ["f"]) == [raised(10), raised(70)]
