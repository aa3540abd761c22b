"""Each finding says what to do, and what was not looked at is not called good."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.domain.finding import SourceFinding
from meltwatch_sources.domain.meter_check import (
    ExpectedCurrents,
    judged_readings,
    judged_registers,
)
from meltwatch_sources.domain.reading import MeterReading, Wiring
from meltwatch_sources.domain.registers import ByteOrder, RegisterBlock, RegisterType

ORDERS = st.sampled_from(ByteOrder)
AMPERES = st.lists(st.floats(800, 9000, width=32), min_size=3, max_size=3)
FIRST = 3000
EXPECTED = ExpectedCurrents(range_a=(500.0, 20_000.0))


def words(amperes: list[float], order: ByteOrder) -> list[int]:
    """The registers of numbers, as a meter of an order writes them."""
    found: list[int] = []
    for number in amperes:
        raw = struct.pack(">f", number)
        sent = bytes(raw["abcd".index(letter)] for letter in order)
        found += struct.unpack(">2H", sent)
    return found


@given(st.lists(AMPERES, min_size=3, max_size=6), ORDERS, ORDERS)
def test_of_four_orders_the_one_that_gives_amperes_is_proposed(shown, real, told):
    wide = [[0, *words(amperes, real), 0] for amperes in shown]
    found = judged_registers(wide, RegisterBlock(FIRST, order=told), EXPECTED)

    if told is real:
        assert found is None
    else:
        # Zeros and the like may fit by chance; else the right one is always among what is said.
        assert found is None or f"order: {real}" in found.advice


def test_a_wrong_order_is_found_on_the_usual_numbers():
    wide = [[0, *words([6343.75, 6101.5 + n, 5998.25], ByteOrder.CDAB), 0] for n in range(3)]
    found = judged_registers(wide, RegisterBlock(FIRST), EXPECTED)

    assert found is not None
    assert found.code == "wrong_byte_order"
    assert "order: cdab" in found.advice
    assert "order: cdab gives 6343.75, 6101.5, 5998.25" in found.said


@pytest.mark.parametrize("step", [-1, 1])
def test_registers_beside_the_right_ones_are_found(step):
    sent = [50, 50, *words([6343.75, 6101.5, 5998.25], ByteOrder.ABCD), 50, 50]
    wide = [sent[1 - step : 1 - step + 8]] * 4
    found = judged_registers(wide, RegisterBlock(FIRST), EXPECTED)

    assert found is not None
    assert f"first: {FIRST + step} gives 6343.75, 6101.5, 5998.25" in found.said
    assert f"first: {FIRST + step}" in found.advice


def test_of_whole_numbers_the_registers_beside_are_told_from_another_order():
    sent = [7, 6343, 6101, 5998, 7]
    found = judged_registers([sent] * 4, RegisterBlock(FIRST - 1, RegisterType.INT16), EXPECTED)
    assert found is None, "6343, 6101, 5998 are in the middle"
    found = judged_registers(
        [[7, 7, 6343, 6101, 5998]] * 4,
        RegisterBlock(FIRST, RegisterType.INT16),
        ExpectedCurrents(range_a=(5000.0, 7000.0)),
    )
    assert found is not None
    assert found.code == "address_off_by_one"
    assert found.advice == f"set first: {FIRST + 1} in 'registers'"


def test_registers_that_cannot_be_read_are_not_checked():
    found = judged_registers([], RegisterBlock(0), EXPECTED)
    assert found is not None
    assert not found.is_checked


def test_a_furnace_that_is_off_tells_nothing_of_orders():
    found = judged_registers([[0] * 8] * 4, RegisterBlock(FIRST), EXPECTED)
    assert found is not None
    assert not found.is_checked


@given(
    st.lists(st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8), max_size=4),
    st.sampled_from(RegisterType),
    ORDERS,
)
def test_no_registers_end_the_check(wide, kind, order):
    count = RegisterBlock(0, kind).count
    judged_registers([each[: count + 2] for each in wide], RegisterBlock(0, kind, order), EXPECTED)


def readings(values: np.ndarray, every_s: float = 0.5) -> list[MeterReading]:
    times = [round(number * every_s * NS_PER_S) for number in range(len(values))]
    return [
        MeterReading(row.astype(np.float32), None, time, time)
        for row, time in zip(values, times, strict=True)
    ]


def moving(count: int = 40, mean: float = 6000.0) -> np.ndarray:
    random = np.random.default_rng(1)
    return mean * (1 + 0.05 * random.standard_normal((count, 3)))


def codes(values: np.ndarray, expected: ExpectedCurrents = EXPECTED, **how: float) -> set[str]:
    return {
        each.code for each in judged_readings(readings(values, **how), expected) if each.is_checked
    }


def unchecked(values: np.ndarray) -> set[str]:
    return {
        each.code for each in judged_readings(readings(values), EXPECTED) if not each.is_checked
    }


def test_a_good_meter_has_no_finding_but_the_order_of_its_phases_was_not_checked():
    assert codes(moving()) == set()
    assert unchecked(moving()) == {"phase_order"}


@pytest.mark.parametrize("nothing", [0.0, 3.0, np.nan])
def test_a_phase_that_shows_nothing_is_found(nothing):
    values = moving()
    values[:, 1] = nothing
    assert "phase_missing" in codes(values)


@pytest.mark.parametrize("ratio", [20, 40, 80, 100])
def test_secondary_amperes_are_found_and_a_ratio_is_proposed(ratio):
    narrow = ExpectedCurrents(Wiring(2.0), (5000.0, 7000.0))
    (found,) = [
        each
        for each in judged_readings(readings(moving(mean=6000 / ratio)), narrow)
        if each.is_checked
    ]
    assert found.code == "wrong_scale"
    assert found.advice == f"set 'scale: {2 * ratio}' if the transformers' ratio is {ratio}"


def test_a_scale_that_no_ratio_explains_is_left_to_the_engineer():
    narrow = ExpectedCurrents(range_a=(5000.0, 7000.0))
    assert codes(moving(mean=3e5), narrow) == {"wrong_scale"}


@pytest.mark.parametrize("held", [4, 40])
def test_values_that_change_seldom_are_found(held):
    values = np.repeat(moving(max(40 // held, 1)), held, axis=0)
    assert codes(values) == {"sampled_too_slowly"}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.empty((0, 3)), {"no_values"}),
        (np.full((40, 3), np.nan), {"no_values"}),
        (np.zeros((40, 3)), set()),
    ],
)
def test_what_was_not_seen_is_not_called_good(values, found):
    assert codes(values) == found
    assert unchecked(values) == {
        "phase_missing", "wrong_scale", "sampled_too_slowly", "phase_order",
    }  # fmt: skip


@given(
    st.lists(
        st.lists(st.one_of(st.floats(width=32, allow_nan=True)), min_size=3, max_size=3),
        max_size=30,
    )
)
def test_no_readings_end_the_check(rows):
    wired = [Wiring().amperes(row) for row in rows]
    judged_readings(readings(np.array(wired).reshape(-1, 3)), EXPECTED)


def order_of(values: np.ndarray, lifted: str) -> SourceFinding | None:
    found = judged_readings(readings(values), EXPECTED, lifted=lifted)
    return next((each for each in found if each.code == "phase_order"), None)


@pytest.mark.parametrize("fell", [0, 1, 2])
@pytest.mark.parametrize("lifted", "abc")
def test_the_phase_that_falls_is_the_electrode_that_was_lifted(fell, lifted):
    values = moving()
    values[20:, fell] *= 0.3
    found = order_of(values, lifted)

    if "abc"[fell] == lifted:
        assert found is None
    else:
        assert found is not None
        assert found.is_checked
        assert f"electrode {lifted} was lifted, and phase {'abc'[fell]} fell by 7" in found.said
        assert found.advice.startswith(f"swap {lifted} and {'abc'[fell]}")


@pytest.mark.parametrize("change", [(1.0, 1.0, 1.0), (0.3, 0.3, 1.0), (0.0, 0.0, 0.0)])
def test_what_does_not_fall_alone_says_nothing_of_the_order(change):
    values = moving()
    values[20:] *= change
    found = order_of(values, "a")

    assert found is not None
    assert not found.is_checked
    nothing = order_of(values * 0, "a")
    assert nothing is not None
    assert not nothing.is_checked
