import struct
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.picture import png_of, spot_of

from tests.support.examples import examples
from tests.support.png import pixels_of


@examples(20)
@given(arrays(np.uint8, st.sampled_from([(64, 64), (64, 64, 3), (3, 5), (2, 7, 3)])))
def test_a_reader_of_png_sees_the_pixels(pixels):
    np.testing.assert_array_equal(pixels_of(png_of(pixels)), pixels)


def test_every_chunk_has_its_sum():
    png, at = png_of(np.zeros((64, 64), np.uint8)), 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        (found,) = struct.unpack_from(">I", png, at + 8 + length)
        assert found == zlib.crc32(png[at + 4 : at + 8 + length])
        at += 12 + length


@examples(20)
@given(arrays(np.uint8, (1, 64, 64, 3)))
def test_a_frame_comes_back_exactly_through_embedding_and_png(frame):
    encoder = default_encoder()
    decoded = encoder.decode(encoder.encode(frame))
    np.testing.assert_array_equal(pixels_of(png_of(decoded[0])), frame[0])


@examples(40)
@given(arrays(np.uint8, (64, 64), elements=st.sampled_from([0, 127, 128, 255])))
def test_the_outline_encloses_exactly_the_values_from_one_half_on(anomaly_map):
    marked = np.zeros((64, 64), bool)
    spot = spot_of(anomaly_map)
    for row, column in spot.cells:
        marked[row, column] = True
    np.testing.assert_array_equal(marked, anomaly_map / 255 >= 0.5)
    assert spot.share == marked.mean()
    assert (spot.place == "") == (not marked.any())


def test_a_spot_has_a_place_in_words():
    picture = np.zeros((64, 64), np.uint8)
    picture[50:60, 28:36] = 200
    assert spot_of(picture).place == "lower middle"
    picture[:] = 200
    assert spot_of(picture).place == "middle"
