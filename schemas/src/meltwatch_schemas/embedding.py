"""``EmbeddingChunk``: embedded frames of one camera (``embedding/1.x``)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.chunk import (
    ChunkIdentity,
    Modality,
    accept_any_envelope,
    check_count,
    check_identity,
    check_not_future,
    check_span,
    identity_fields,
    read_chunk,
)
from meltwatch_schemas.codec import (
    array_from,
    binaries_named,
    bytes_of,
    check_time,
    integers_named,
    pack,
    texts_named,
    unpack,
)
from meltwatch_schemas.encoder import PATCH_VALUES, PATCHES, dims_of
from meltwatch_schemas.errors import ContractViolation, Refusal, violation

SCHEMA: Final = "embedding/1.0"
_INFINITY_DOUBLED: Final = 0xF800
"""Bits of a float16, moved one place up, from which on it is infinite or no number."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingChunk:
    """One or more frames of one source.

    Attributes
    ----------
    identity
        Furnace, source and sequence.
    event_times_ns
        Shape ``(n,)``, int64, mid-exposure, ns UTC, strictly increasing, span ≤ 2 s.
    encoder_id
        The basis that made the embeddings.
    data
        Shape ``(n, 64, d)``, float16, finite.
    """

    modality: ClassVar[Modality] = Modality.VIDEO
    identity: ChunkIdentity
    event_times_ns: NDArray[np.int64]
    encoder_id: str
    data: NDArray[np.float16]

    @property
    def times_ns(self) -> list[int]:
        """Event times of all frames as Python's integers, ns."""
        times_ns: list[int] = self.event_times_ns.tolist()
        return times_ns

    @property
    def first_event_ns(self) -> int:
        """Event time of the first frame, ns."""
        return int(self.event_times_ns[0])

    @property
    def last_event_ns(self) -> int:
        """Event time of the last frame, ns."""
        return int(self.event_times_ns[-1])


def encode_embedding(chunk: EmbeddingChunk) -> bytes:
    """Return the record value of a chunk.

    Raises
    ------
    ContractViolation
        ``too_large`` if it exceeds 256 KiB.
    """
    count, patches, dims = chunk.data.shape
    return pack(
        identity_fields(chunk.identity)
        | {
            "count": count,
            "event_times_ns": bytes_of(chunk.event_times_ns, "<i8"),
            "encoder_id": chunk.encoder_id,
            "patches": patches,
            "dims": dims,
            "data": bytes_of(chunk.data, "<f2"),
        }
    )


_CONTENT: Final = (
    *integers_named("count", "patches", "dims"),
    *texts_named("encoder_id"),
    *binaries_named("event_times_ns", "data"),
)


def decode_embedding(
    value: bytes, check_envelope: Callable[[str], None] = accept_any_envelope
) -> EmbeddingChunk:
    """Return the chunk of a record value; arrays are views of it, not copies.

    Parameters
    ----------
    value
        msgpack bytes.
    check_envelope
        Called with the furnace id among the contract checks: key and headers must fit it.

    Raises
    ------
    ContractViolation
        ``malformed``, ``contract_violation``, ``non_finite`` or ``future_event_time``, the
        first that applies in this order.
    """
    identity, content = read_chunk(unpack(value), _CONTENT)
    count, patches, dims, encoder_id, times, data = content

    check_identity(identity)
    check_envelope(identity.furnace_id)
    check_count(count)
    _check_dims(patches, dims, encoder_id)
    event_times_ns = array_from("event_times_ns", times, "<i8", (count,))
    _check_times(event_times_ns)
    embeddings = array_from("data", data, "<f2", (count, patches, dims))
    if not _is_finite(embeddings):
        raise ContractViolation(Refusal.NON_FINITE, "data: expected finite embeddings")
    check_not_future(int(event_times_ns[-1]), identity.ingest_time_ns)
    return EmbeddingChunk(identity, event_times_ns, encoder_id, embeddings)


def _check_dims(patches: int, dims: int, encoder_id: str) -> None:
    if patches != PATCHES:
        raise violation(f"patches: expected {PATCHES}, got {patches}")
    if not 1 <= dims <= PATCH_VALUES:
        raise violation(f"dims: expected 1..{PATCH_VALUES}, got {dims}")
    if dims != dims_of(encoder_id):
        raise violation(f"dims: expected those of the encoder {encoder_id[:80]!r}, got {dims}")


def _check_times(event_times_ns: NDArray[np.int64]) -> None:
    # Python's integers: a difference of hostile int64 values may overflow.
    times_ns = event_times_ns.tolist()
    check_time("event_times_ns", times_ns[0])
    if any(later <= earlier for earlier, later in pairwise(times_ns)):
        raise violation("event_times_ns: expected strictly increasing times")
    check_span(times_ns[0], times_ns[-1])


def _is_finite(embeddings: NDArray[np.float16]) -> bool:
    # By the bits: the processor knows no float16, and isfinite would convert each number. Twice as
    # much as a whole number is the same without its sign. To find the place of the largest is less
    # work for numpy than to reduce, where the array is its own.
    bits = embeddings.view(np.uint16)
    doubled = bits + bits
    largest: int = doubled.item(doubled.argmax())
    return largest < _INFINITY_DOUBLED
