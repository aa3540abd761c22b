import hashlib
from math import cos, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.encoder import Encoder, dct_basis, default_encoder, dims_of, zigzag
from meltwatch_schemas.errors import ContractViolation

from tests.support.builders import frames

WEIGHTS = [
    [1 / sqrt(3), 1 / sqrt(3), 1 / sqrt(3)],
    [1 / sqrt(2), 0, -1 / sqrt(2)],
    [1 / sqrt(6), -2 / sqrt(6), 1 / sqrt(6)],
]
JPEG_ORDER = (
    "0001 1020 1102 0312 2130 4031 2213 0405 1423 3241 5060 5142 3324 1506 0716 2534 4352 6170"
    " 7162 5344 3526 1727 3645 5463 7273 6455 4637 4756 6574 7566 5767 7677"
)


def test_the_default_encoder_has_the_id_of_the_contract() -> None:
    assert default_encoder().encoder_id == "dct-192-a375f01fafb8"


def test_the_id_hashes_the_basis_as_little_endian_float32() -> None:
    digest = hashlib.sha256(dct_basis(5).astype("<f4").tobytes()).hexdigest()

    assert Encoder("pca", dct_basis(5)).encoder_id == f"pca-5-{digest[:12]}"


def test_the_zig_zag_is_that_of_jpeg() -> None:
    expected = JPEG_ORDER.replace(" ", "")

    assert "".join(f"{u}{v}" for u, v in zigzag()) == expected


@given(st.integers(0, 63), st.integers(0, 2), st.integers(0, 7), st.integers(0, 7))
def test_each_element_of_the_basis_is_that_of_the_formula(z: int, c: int, y: int, x: int) -> None:
    u, v = zigzag()[z]
    a = [sqrt(1 / 8)] + [sqrt(2 / 8)] * 7
    wave = a[u] * cos((2 * y + 1) * u * pi / 16) * a[v] * cos((2 * x + 1) * v * pi / 16)

    for k in range(3):
        element = dct_basis()[3 * z + c, (y * 8 + x) * 3 + k]
        assert element == pytest.approx(WEIGHTS[c][k] * wave, abs=1e-7)


def test_the_rows_are_orthonormal_and_no_zero_is_negative() -> None:
    basis = dct_basis().astype(np.float64)

    np.testing.assert_allclose(basis @ basis.T, np.eye(192), atol=1e-6)
    assert not np.signbit(basis[basis == 0]).any()


def test_a_smaller_basis_keeps_the_first_rows() -> None:
    np.testing.assert_array_equal(dct_basis(7), dct_basis()[:7])


def test_pixels_of_20000_random_patches_come_back_exactly() -> None:
    encoder = default_encoder()
    pictures = frames(count=313, seed=1)  # 64 patches each

    np.testing.assert_array_equal(encoder.decode(encoder.encode(pictures)), pictures)


def test_float16_costs_at_most_0_11_grey() -> None:
    encoder = default_encoder()
    pictures = frames(count=50, seed=2)
    patches = pictures.reshape(50, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(50, 64, 192)
    decoded = encoder.encode(pictures).astype(np.float64) @ encoder.basis

    assert np.abs(decoded - patches).max() <= 0.11


@pytest.mark.parametrize("grey", [0, 1, 127, 254, 255])
def test_plain_pictures_come_back_exactly(grey: int) -> None:
    picture = np.full((1, 64, 64, 3), grey, np.uint8)
    encoder = default_encoder()

    np.testing.assert_array_equal(encoder.decode(encoder.encode(picture)), picture)


def test_patches_are_row_major_and_channels_fastest() -> None:
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[0, 8 * 2 + 3, 8 * 5 + 4, 1] = 255  # patch row 2, column 5; pixel row 3, column 4; green
    column = dct_basis()[:, (3 * 8 + 4) * 3 + 1]

    embedding = default_encoder().encode(picture)[0].astype(np.float32)

    np.testing.assert_allclose(embedding[2 * 8 + 5], 255 * column, atol=0.1)
    assert not np.delete(embedding, 2 * 8 + 5, axis=0).any()


def test_a_small_basis_gives_a_blurred_picture_of_the_same_mean() -> None:
    encoder = Encoder("dct", dct_basis(3))
    picture = frames(seed=3)

    blurred = encoder.decode(encoder.encode(picture))

    assert encoder.encode(picture).shape == (1, 64, 3)
    assert blurred.mean() == pytest.approx(picture.mean(), abs=0.5)


def test_an_encoder_id_states_its_dims() -> None:
    assert dims_of("dct-192-a375f01fafb8") == 192
    assert dims_of("my-own-net-v2-64-0123456789ab") == 64


@pytest.mark.parametrize(
    "text", ["", "dct", "dct-192", "192-a375f01fafb8", "dct-1920-a375f01fafb8"]
)
def test_an_encoder_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ContractViolation, match="encoder_id"):
        dims_of(text)
