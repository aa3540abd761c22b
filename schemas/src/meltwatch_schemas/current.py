"""``CurrentChunk``: three-phase electrode currents of one meter (``current/1.x``)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.bounds import MAX_CURRENT_A, MAX_WHOLE, check_whole
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
    unpack,
)
from meltwatch_schemas.errors import ContractViolation, Refusal, violation

SCHEMA: Final = "current/1.0"
PHASES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class CurrentChunk:
    """Equally spaced samples of one source.

    Attributes
    ----------
    identity
        Furnace, source and sequence.
    event_time_ns
        Event time of the first sample, ns UTC.
    period_ns
        Distance of two samples, ns, positive.
    data
        Shape ``(n, 3)``, float32, amperes, phases a, b, c; NaN marks a phase that could not
        be read.
    """

    modality: ClassVar[Modality] = Modality.CURRENT
    identity: ChunkIdentity
    event_time_ns: int
    period_ns: int
    data: NDArray[np.float32]

    @property
    def times_ns(self) -> list[int]:
        """Event times of all samples as Python's integers, ns."""
        first_ns, period_ns = self.event_time_ns, self.period_ns
        return [first_ns + place * period_ns for place in range(len(self.data))]

    @property
    def first_event_ns(self) -> int:
        """Event time of the first sample, ns."""
        return self.event_time_ns

    @property
    def last_event_ns(self) -> int:
        """Event time of the last sample, ns."""
        return self.event_time_ns + (len(self.data) - 1) * self.period_ns

    @property
    def event_times_ns(self) -> NDArray[np.int64]:
        """Event times of all samples, shape ``(n,)``, int64, ns."""
        # A chunk of one sample may state a period beyond int64.
        return np.array(self.times_ns, np.int64)


def encode_current(chunk: CurrentChunk) -> bytes:
    """Return the record value of a chunk."""
    return pack(
        identity_fields(chunk.identity)
        | {
            "event_time_ns": chunk.event_time_ns,
            "period_ns": chunk.period_ns,
            "count": len(chunk.data),
            "data": bytes_of(chunk.data, "<f4"),
        }
    )


_CONTENT: Final = (
    *integers_named("event_time_ns", "period_ns", "count"),
    *binaries_named("data"),
)


def decode_current(
    value: bytes, check_envelope: Callable[[str], None] = accept_any_envelope
) -> CurrentChunk:
    """Return the chunk of a record value; the array is a view of it, not a copy.

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
    event_time_ns, period_ns, count, data = content

    check_identity(identity)
    check_envelope(identity.furnace_id)
    check_count(count)
    check_time("event_time_ns", event_time_ns)
    check_whole("period_ns", period_ns, MAX_WHOLE, 1)
    last_ns = event_time_ns + (count - 1) * period_ns
    check_span(event_time_ns, last_ns)
    check_time("event time of the last sample", last_ns)
    samples = array_from("data", data, "<f4", (count, PHASES))
    _check_amperes(samples)
    check_not_future(last_ns, identity.ingest_time_ns)
    return CurrentChunk(identity, event_time_ns, period_ns, samples)


def _check_amperes(samples: NDArray[np.float32]) -> None:
    sizes = np.abs(samples)
    # One comparison tells nearly every time. NaN counts as the largest, and compares as not larger.
    if sizes.item(sizes.argmax()) <= MAX_CURRENT_A:
        return
    infinite = np.isinf(sizes)
    # NaN compares as not larger. What is not finite is refused later, for another reason.
    if (sizes[~infinite] > MAX_CURRENT_A).any():
        raise violation(f"data: expected at most {MAX_CURRENT_A:g} A either way, got more")
    if infinite.any():
        raise ContractViolation(Refusal.NON_FINITE, "data: expected amperes or NaN, got infinity")
