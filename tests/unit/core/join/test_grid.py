"""What is put together without a look-up or a copy is what a look-up and a copy would give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.frames import FrameBuffer
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_core.join.samples import SampleBuffer
from meltwatch_schemas.encoder import default_encoder

from tests.support.builders import NOON_NS, embedding_chunk
from tests.support.examples import examples

PERIOD_NS = PUBLISHED_RULES.spec.sample_period_ns
RULED = np.random.default_rng(3).normal(0, 1, (192, 192)).astype(np.float32)
"""A basis in which a patch's grey depends on all of its coefficients."""


def buffer_of(times_ns: list[int], values_a: np.ndarray) -> SampleBuffer:
    buffer = SampleBuffer(PUBLISHED_RULES, 0)
    for offset, (time_ns, value_a) in enumerate(zip(times_ns, values_a, strict=True)):
        buffer.add_samples([time_ns], offset, value_a[None])
    return buffer


@examples(60)
@given(
    count=st.integers(1, 260),
    late_ns=st.integers(0, 3 * PERIOD_NS),
    jitter_ns=st.sampled_from([0, 1, PERIOD_NS // 3]),
    lost=st.sampled_from([None, 0, 7, 239]),
    unread=st.sampled_from([None, 3, 200]),
)
def test_a_grid_of_samples_in_turn_is_that_of_a_look_up(
    count: int, late_ns: int, jitter_ns: int, lost: int | None, unread: int | None
) -> None:
    chance = np.random.default_rng(count)
    places = [place for place in range(count) if place != lost]
    times_ns = [NOON_NS - p * PERIOD_NS - int(chance.integers(0, jitter_ns + 1)) for p in places]
    values_a = chance.normal(40_000, 2_000, (len(places), 3)).astype(np.float32)
    if unread is not None and unread < len(places):
        values_a[unread, 1] = np.nan
    buffer = buffer_of(times_ns[::-1], values_a[::-1])
    end_ns = NOON_NS + late_ns

    grid = buffer.grid(end_ns)

    known = buffer._looked_up(end_ns - buffer._ages_ns)
    assert grid.coverage == known.coverage
    for found, expected in ((grid.values_a, known.values_a), (grid.own_a, known.own_a)):
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            np.testing.assert_array_equal(found, expected)


def test_a_whole_look_back_is_seen_where_it_is_held() -> None:
    times_ns = [NOON_NS - place * PERIOD_NS for place in range(250)][::-1]
    buffer = buffer_of(times_ns, np.ones((250, 3), np.float32))
    values_a = buffer.grid(NOON_NS).values_a
    assert values_a is not None
    assert np.shares_memory(values_a, buffer.timeline.values)


@pytest.mark.parametrize("count", [1, 2])
def test_a_frame_that_came_alone_is_not_copied_and_one_of_several_does_not_hold_the_others(
    count: int,
) -> None:
    stride_ns = PUBLISHED_RULES.spec.frame_stride_ns
    times_ns = [NOON_NS + place * stride_ns // 4 for place in range(count)]
    chunk = embedding_chunk(event_times_ns=times_ns)
    greys_of = FeatureExtractor(default_encoder().basis).greys
    buffer = FrameBuffer(PUBLISHED_RULES, 0, greys_of)
    buffer.add_frames(times_ns, 0, chunk.data)
    for held in buffer._latest.values():
        assert np.shares_memory(held.embedding, chunk.data) == (count == 1)
        assert np.shares_memory(held.greys, greys_of(chunk.data)) == (count == 1)


def test_what_is_held_of_frames_is_their_embeddings_and_their_greys() -> None:
    stride_ns = PUBLISHED_RULES.spec.frame_stride_ns
    buffer = FrameBuffer(PUBLISHED_RULES, 0, FeatureExtractor(default_encoder().basis).greys)
    times_ns = [NOON_NS + place * stride_ns for place in range(5)]
    buffer.add_frames(times_ns, 0, np.ones((5, 64, 192), np.float16))
    one = 64 * 192 * 2 + 64 * 8
    assert buffer.size_bytes - buffer.timeline.size_bytes == 5 * one
    assert [buffer.size_bytes_after(time_ns) for time_ns in (0, *times_ns)] == [
        count * one for count in (5, 4, 3, 2, 1, 0)
    ]


@pytest.mark.parametrize("basis", [default_encoder().basis, RULED], ids=["cosine", "any"])
def test_greys_of_a_frame_are_the_same_however_frames_are_cut_into_records(
    basis: np.ndarray,
) -> None:
    stride_ns = PUBLISHED_RULES.spec.frame_stride_ns
    times_ns = [NOON_NS + place * stride_ns for place in range(5)]
    frames = np.random.default_rng(4).normal(0, 300, (5, 64, 192)).astype(np.float16)
    held = []
    for sizes in ((1, 1, 1, 1, 1), (2, 3), (5,)):
        buffer = FrameBuffer(PUBLISHED_RULES, 0, FeatureExtractor(basis).greys)
        for offset, (start, size) in enumerate(zip(np.cumsum((0, *sizes)), sizes, strict=False)):
            cut = slice(start, start + size)
            buffer.add_frames(times_ns[cut], offset, frames[cut])
        held.append([frame.greys for frame in buffer._latest.values()])
    np.testing.assert_array_equal(held[0], held[1])
    np.testing.assert_array_equal(held[0], held[2])
    plain = frames.astype(np.float64) @ (basis.sum(axis=1, dtype=np.float64) / 192)
    np.testing.assert_allclose(held[0], plain, rtol=1e-5, atol=1e-3)
