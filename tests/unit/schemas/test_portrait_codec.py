from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.portrait import (
    MAX_BYTES,
    MAX_MODES,
    MAX_REACHED,
    SCHEMA,
    PackedTail,
    decode_portrait,
    encode_portrait,
    portrait_id,
)
from meltwatch_schemas.record import read_portrait

from tests.support.builders import packed_side, portrait, raw_record

CURRENT = Modality.CURRENT


def wire() -> dict[str, Any]:
    return dict(msgpack.unpackb(encode_portrait(portrait(CURRENT))))


def refusal_of(message: dict[str, Any]) -> Refusal:
    with pytest.raises(ContractViolation) as refusal:
        decode_portrait(msgpack.packb(message))
    return refusal.value.reason


@given(
    modes=st.integers(1, MAX_MODES),
    reached=arrays(np.float32, st.integers(1, 20), elements=st.floats(-50, 50, width=32)),
    tail=st.builds(
        PackedTail, st.floats(-50, 50), st.floats(0, 5), st.floats(1e-6, 9), st.floats(0, 1)
    ),
    windows=st.integers(1, 2**53),
)
def test_a_portrait_comes_back_as_it_was_sent(
    modes: int, reached: Any, tail: PackedTail, windows: int
) -> None:
    side = packed_side(CURRENT, modes, reached=np.sort(reached), tail=tail)
    value = encode_portrait(portrait(sides={CURRENT: side}, windows=windows))

    assert encode_portrait(decode_portrait(value)) == value


def test_as_many_modes_as_are_made_fit() -> None:
    most = {
        Modality.VIDEO: packed_side(Modality.VIDEO, 2),
        Modality.CURRENT: packed_side(Modality.CURRENT, 3),
    }
    sides = {
        m: replace(side, reached=np.zeros(MAX_REACHED, np.float32)) for m, side in most.items()
    }

    assert len(encode_portrait(portrait(sides=sides))) < MAX_BYTES


def test_what_is_too_large_is_neither_written_nor_read() -> None:
    large = portrait(sides={Modality.VIDEO: packed_side(Modality.VIDEO, 4)})
    with pytest.raises(ContractViolation, match="expected at most 131072 bytes") as refusal:
        encode_portrait(large)
    assert refusal.value.reason is Refusal.TOO_LARGE
    with pytest.raises(ContractViolation) as refusal:
        decode_portrait(bytes(MAX_BYTES + 1))
    assert refusal.value.reason is Refusal.TOO_LARGE


def test_its_id_is_that_of_its_bytes() -> None:
    value = encode_portrait(portrait(CURRENT))

    assert portrait_id(value) != portrait_id(value + b"\0")
    assert len(portrait_id(value)) == 64


def test_a_portrait_under_the_key_of_another_furnace_is_refused() -> None:
    value = encode_portrait(portrait(CURRENT))

    assert read_portrait(raw_record(value, SCHEMA)).windows == 8_000
    with pytest.raises(ContractViolation, match="key: expected the furnace_id"):
        read_portrait(raw_record(value, SCHEMA, key=b"a/b"))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("furnace_id", "a//b", Refusal.CONTRACT_VIOLATION),
        ("encoder_id", "", Refusal.CONTRACT_VIOLATION),
        ("spec_id", "?", Refusal.CONTRACT_VIOLATION),
        ("made_at_ns", -1, Refusal.CONTRACT_VIOLATION),
        ("until_ns", 0, Refusal.CONTRACT_VIOLATION),
        ("until_ns", 2**63, Refusal.CONTRACT_VIOLATION),
        ("windows", 0, Refusal.CONTRACT_VIOLATION),
        ("windows", 1.0, Refusal.MALFORMED),
        ("left_out", {"logit": -1}, Refusal.CONTRACT_VIOLATION),
        ("left_out", {str(number): 1 for number in range(17)}, Refusal.CONTRACT_VIOLATION),
        ("left_out", {"a\nb": 1}, Refusal.CONTRACT_VIOLATION),
        ("left_out", {"logit": True}, Refusal.MALFORMED),
        ("left_out", None, Refusal.MALFORMED),
        ("current", [], Refusal.MALFORMED),
        ("video", {}, Refusal.MALFORMED),
    ],
)
def test_a_wrong_field_is_refused(name: str, value: object, reason: Refusal) -> None:
    assert refusal_of(wire() | {name: value}) is reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("modes", [], Refusal.CONTRACT_VIOLATION),
        ("modes", None, Refusal.MALFORMED),
        ("modes", [5], Refusal.MALFORMED),
        ("median", bytes(8), Refusal.CONTRACT_VIOLATION),
        ("median", np.float32(np.nan).tobytes(), Refusal.NON_FINITE),
        ("median", np.float32(1001).tobytes(), Refusal.CONTRACT_VIOLATION),
        ("reached", np.float32([0, 1001]).tobytes(), Refusal.CONTRACT_VIOLATION),
        ("rise_per_s", -0.1, Refusal.CONTRACT_VIOLATION),
        ("rise_per_s", np.inf, Refusal.NON_FINITE),
        ("reached", b"", Refusal.CONTRACT_VIOLATION),
        ("reached", bytes(5), Refusal.CONTRACT_VIOLATION),
        ("reached", bytes(4 * (MAX_REACHED + 1)), Refusal.CONTRACT_VIOLATION),
        ("reached", np.float32([2, 1]).tobytes(), Refusal.CONTRACT_VIOLATION),
        ("reached", np.float32([1, np.inf]).tobytes(), Refusal.NON_FINITE),
        ("tail", {}, Refusal.MALFORMED),
        ("tail", {"level": 1, "shape": -0.1, "scale": 1, "rate": 1}, Refusal.CONTRACT_VIOLATION),
        ("tail", {"level": 1, "shape": 0, "scale": 0, "rate": 1}, Refusal.CONTRACT_VIOLATION),
        ("tail", {"level": 1, "shape": 0, "scale": 1, "rate": 2}, Refusal.CONTRACT_VIOLATION),
        ("tail", {"level": np.nan, "shape": 0, "scale": 1, "rate": 1}, Refusal.NON_FINITE),
    ],
)
def test_a_wrong_side_is_refused(name: str, value: object, reason: Refusal) -> None:
    message = wire()

    assert refusal_of(message | {"current": message["current"] | {name: value}}) is reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mean", bytes(4 * 39), Refusal.CONTRACT_VIOLATION),
        ("mean", np.full(40, np.inf, np.float32).tobytes(), Refusal.NON_FINITE),
        ("exponents", np.int16(41).tobytes(), Refusal.CONTRACT_VIOLATION),
        ("exponents", np.int16(-(2**15)).tobytes(), Refusal.CONTRACT_VIOLATION),
        ("factor", bytes(2 * 819), Refusal.CONTRACT_VIOLATION),
        ("factor", np.full(820, np.nan, np.float16).tobytes(), Refusal.NON_FINITE),
        ("factor", "text", Refusal.MALFORMED),
    ],
)
def test_a_wrong_mode_is_refused(name: str, value: object, reason: Refusal) -> None:
    message = wire()
    (mode,) = message["current"]["modes"]
    side = message["current"] | {"modes": [mode | {name: value}]}

    assert refusal_of(message | {"current": side}) is reason
