from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from meltwatch_schemas.bounds import MAX_CURRENT_A
from meltwatch_schemas.chunk import ChunkIdentity, Sync
from meltwatch_schemas.current import CurrentChunk, decode_current, encode_current
from meltwatch_schemas.embedding import (
    EmbeddingChunk,
    _is_finite,
    decode_embedding,
    encode_embedding,
)
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.window import INT64_MAX

from tests.support.builders import current_chunk, embedding_chunk

S = 1_000_000_000
LEVEL = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True).filter(
    lambda text: text not in {".", ".."}
)
FURNACES = st.lists(LEVEL, min_size=1, max_size=5).map("/".join)
NAMES = st.text(min_size=1, max_size=256).filter(is_printable)
TIMES = st.integers(0, INT64_MAX - 4 * S)


@st.composite
def identities(draw: st.DrawFn, last_event_ns: int) -> ChunkIdentity:
    sync = st.builds(Sync, st.sampled_from(["ptp", "ntp", "free"]), st.integers(0, 2**63 - 1))
    return ChunkIdentity(
        furnace_id=draw(FURNACES),
        source_id=draw(NAMES),
        boot_id=draw(st.from_regex(r"[0-9a-f]{16}", fullmatch=True)),
        seq=draw(st.integers(0, 2**63 - 1)),
        ingest_time_ns=draw(st.integers(max(0, last_event_ns - 2 * S), INT64_MAX)),
        sync=draw(st.none() | sync),
        run_id=draw(st.none() | NAMES),
    )


@st.composite
def embedding_chunks(draw: st.DrawFn) -> EmbeddingChunk:
    dims = draw(st.integers(1, 8))
    steps = draw(st.lists(st.integers(1, S // 4), max_size=7))
    times = draw(TIMES) + np.cumsum([0, *steps], dtype=np.int64)
    # Every bit pattern of a finite float16, at random: drawn one by one it would take seconds.
    bits = np.random.default_rng(draw(st.integers(0, 2**32))).integers(
        0, 0x7C00, (len(times), 64, dims), dtype=np.uint16
    )
    data = bits.view(np.float16) * np.float16(draw(st.sampled_from([1, -1])))
    encoder_id = Encoder("pca", dct_basis(dims)).encoder_id
    return EmbeddingChunk(draw(identities(int(times[-1]))), times, encoder_id, data)


@st.composite
def current_chunks(draw: st.DrawFn) -> CurrentChunk:
    count = draw(st.sampled_from([1, 2, 3, 64]))
    period_ns = draw(st.integers(1, 2 * S // max(1, count - 1)))
    start_ns = draw(TIMES)
    amperes = st.floats(-MAX_CURRENT_A, MAX_CURRENT_A, width=32) | st.just(np.nan)
    data = draw(arrays(np.float32, (count, 3), elements=amperes, fill=amperes))
    identity = draw(identities(start_ns + (count - 1) * period_ns))
    return CurrentChunk(identity, start_ns, period_ns, data)


def test_each_bit_pattern_of_a_float16_is_taken_or_refused_as_numpy_tells() -> None:
    """Frames are judged by the exponent's bits; not one of the 65,536 patterns may be mistaken."""
    numbers = np.arange(2**16, dtype=np.uint16).view(np.float16)
    taken = [bits for bits, number in enumerate(numbers[:, None]) if _is_finite(number)]
    assert taken == np.flatnonzero(np.isfinite(numbers)).tolist()


@given(embedding_chunks())
def test_an_embedding_chunk_comes_back_as_it_was_sent(chunk: EmbeddingChunk) -> None:
    back = decode_embedding(encode_embedding(chunk))

    assert back.identity == chunk.identity
    assert back.encoder_id == chunk.encoder_id
    assert back.event_times_ns.tolist() == chunk.event_times_ns.tolist()
    assert back.data.tobytes() == chunk.data.tobytes()
    assert back.last_event_ns == chunk.event_times_ns[-1]


@given(current_chunks())
def test_a_current_chunk_comes_back_as_it_was_sent(chunk: CurrentChunk) -> None:
    back = decode_current(encode_current(chunk))

    assert back.identity == chunk.identity
    assert (back.event_time_ns, back.period_ns) == (chunk.event_time_ns, chunk.period_ns)
    np.testing.assert_array_equal(back.data, chunk.data)
    assert np.diff(back.event_times_ns).tolist() == [chunk.period_ns] * (len(chunk.data) - 1)
    assert back.event_times_ns[-1] == back.last_event_ns


def test_big_endian_and_strided_arrays_travel_by_value() -> None:
    plain = current_chunk(data=[[1, 2, 3], [4, 5, 6]])
    strange = replace(plain, data=np.asfortranarray(plain.data.astype(">f4")))

    assert encode_current(strange) == encode_current(plain)


def test_decoding_copies_no_array() -> None:
    back = decode_embedding(encode_embedding(embedding_chunk()))

    assert not back.data.flags.owndata
    assert not back.data.flags.writeable


def test_a_chunk_over_256_kib_is_refused_before_sending() -> None:
    eleven = [1_750_000_000 * S + step for step in range(11)]

    with pytest.raises(ContractViolation) as refusal:
        encode_embedding(embedding_chunk(event_times_ns=eleven))

    assert refusal.value.reason is Refusal.TOO_LARGE


def test_ten_frames_of_192_dims_fit_into_one_message() -> None:
    ten = [1_750_000_000 * S + step for step in range(10)]

    assert len(encode_embedding(embedding_chunk(event_times_ns=ten))) < 256 * 1024
