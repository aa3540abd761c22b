"""What the model sees of a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_sources.domain.picture import (
    SIDE,
    ColourRule,
    CropOutside,
    PictureRule,
    area_average,
)

from tests.support.examples import examples


def picture(height: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@examples(25)
@given(st.integers(8, 300), st.integers(8, 300))
def test_an_average_is_that_of_each_area_to_the_part_of_a_pixel(height: int, width: int) -> None:
    given_picture = picture(height, width)
    # Each pixel 64 times in both directions: then every area is whole pixels.
    by_rows = np.repeat(given_picture, SIDE, axis=0).reshape(SIDE, height, width, 3)
    rows = by_rows.mean(axis=1, dtype=np.float64)
    columns = np.repeat(rows, SIDE, axis=1).reshape(SIDE, SIDE, width, 3).mean(axis=2)

    assert np.abs(area_average(given_picture) - columns).max() <= 0.51


@given(st.integers(0, 255), st.integers(8, 200), st.integers(8, 200))
def test_a_picture_of_one_colour_keeps_it(grey: int, height: int, width: int) -> None:
    plain = np.full((height, width, 3), grey, dtype=np.uint8)

    assert (area_average(plain) == grey).all()


def test_a_picture_of_the_model_s_size_is_itself() -> None:
    assert (area_average(picture(SIDE, SIDE)) == picture(SIDE, SIDE)).all()


def test_crop_turn_and_mirror_come_in_this_order() -> None:
    whole = picture(300, 400)
    cropped = whole[96 : 96 + 128, 40 : 40 + 192]
    clockwise = np.rot90(cropped, -1)
    rule = PictureRule((40, 96, 192, 128), 90, mirror=True)

    assert (rule.seen(whole) == area_average(clockwise[:, ::-1])).all()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_four_turns_by_a_right_angle_are_none(degrees: int) -> None:
    seen = PictureRule(rotate_degrees=degrees).seen(picture(SIDE, SIDE))

    assert (np.rot90(seen, degrees // 90) == picture(SIDE, SIDE)).all()


@pytest.mark.parametrize("crop", [(0, 0, 401, 10), (0, 0, 10, 301), (393, 0, 8, 8)])
def test_a_crop_outside_is_refused_with_both_sizes(crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(CropOutside, match="400×300"):
        PictureRule(crop).seen(picture(300, 400))


def test_colours_are_read_as_the_stream_signals_them_and_601_if_it_is_silent() -> None:
    rule = ColourRule()

    assert [rule.matrix_of(signalled) for signalled in (1, 2, 5, 6)] == ["bt709"] + ["bt601"] * 3
    assert rule.range_of(0, "yuv420p") == rule.range_of(1, "yuv420p") == "limited"
    assert rule.range_of(2, "yuv420p") == rule.range_of(0, "yuvj420p") == "full"
    assert ColourRule("bt601", "limited").matrix_of(1) == "bt601"
    assert ColourRule("bt601", "limited").range_of(2, "yuvj420p") == "limited"
