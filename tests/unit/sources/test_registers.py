import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_sources.domain.reading import Wiring
from meltwatch_sources.domain.registers import (
    ByteOrder,
    RegisterBlock,
    RegisterType,
    numbers_of,
    words_of,
)

AMPERES = 6343.75
# As a meter sends it: the words of 6343.75 in each order, worked out by hand from 0x45C63E00.
WIRES = {
    ByteOrder.ABCD: (0x45C6, 0x3E00),
    ByteOrder.CDAB: (0x3E00, 0x45C6),
    ByteOrder.BADC: (0xC645, 0x003E),
    ByteOrder.DCBA: (0x003E, 0xC645),
}
FORMATS = {"float32": ">f", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I"}
ORDERS = st.sampled_from(ByteOrder)
PERMUTATIONS = st.permutations(range(3)).map(tuple)


@pytest.mark.parametrize(("order", "words"), WIRES.items())
def test_a_number_is_read_in_the_order_in_which_it_was_sent(order, words):
    assert numbers_of(words, RegisterType.FLOAT32, order) == [AMPERES]


@pytest.mark.parametrize(("order", "words"), WIRES.items())
def test_a_wrong_order_never_looks_like_the_right_amperes(order, words):
    wrong = [numbers_of(words, RegisterType.FLOAT32, other)[0] for other in ByteOrder]
    near = [number for number in wrong if 100 < number < 100_000]
    assert near == [AMPERES]


@given(
    st.sampled_from(RegisterType),
    ORDERS,
    st.lists(st.integers(0, 0xFFFF), min_size=6, max_size=6),
)
def test_what_is_read_written_again_gives_the_same_registers(kind, order, words):
    width = words_of(kind)
    words = words[: 3 * width]
    numbers = RegisterBlock(0, kind, order).numbers(words)
    for number, first in zip(numbers, range(0, len(words), width), strict=True):
        if math.isnan(number):
            continue
        value = number if kind is RegisterType.FLOAT32 else int(number)
        raw = struct.pack(FORMATS[kind], value)
        pairs = [raw[at : at + 2] for at in range(0, len(raw), 2)]
        if order in {ByteOrder.BADC, ByteOrder.DCBA}:
            pairs = [pair[::-1] for pair in pairs]
        if order in {ByteOrder.CDAB, ByteOrder.DCBA}:
            pairs.reverse()
        sent = [int.from_bytes(pair, "big") for pair in pairs]
        assert sent == words[first : first + width]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (RegisterType.INT16, [0x8000]),
        (RegisterType.UINT16, [0xFFFF]),
        (RegisterType.INT32, [0x8000, 0]),
        (RegisterType.UINT32, [0xFFFF, 0xFFFF]),
        (RegisterType.FLOAT32, [0x7FC0, 0]),
    ],
)
def test_what_meters_write_for_no_value_is_none(kind, words):
    assert math.isnan(numbers_of(words, kind)[0])


@given(PERMUTATIONS, st.lists(st.floats(0, 1e6), min_size=3, max_size=3))
def test_each_value_goes_to_the_phase_that_it_is_of(phases, shown):
    amperes = Wiring(2.0, phases).amperes(shown)
    for number, phase in zip(shown, phases, strict=True):
        assert amperes[phase] == pytest.approx(2 * number)


@given(st.lists(st.floats(width=32), min_size=3, max_size=3), st.floats(1e-3, 1e6))
def test_what_no_electrode_can_carry_is_no_value_and_no_other_value_suffers(shown, scale):
    amperes = Wiring(scale).amperes(shown)
    for number, ampere in zip(shown, amperes, strict=True):
        if math.isnan(ampere):
            assert not abs(number * scale) <= 1e9
        else:
            assert ampere == pytest.approx(number * scale)
            assert abs(ampere) <= 1e9
