"""One bad record of each kind that the contract names, with the reason it must be refused for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from meltwatch_schemas import current, embedding
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.support.input_records import (
    PERIOD_NS,
    InputRecord,
    frame_record,
    identity,
    sample_record,
)

Maker = Callable[[str, int], InputRecord]


@dataclass(frozen=True)
class BadKind:
    """How to make a bad record of a furnace at an event time, and why it is bad."""

    name: str
    reason: Refusal
    make: Maker


def _too_large(furnace_id: str, event_ns: int) -> InputRecord:
    return replace(sample_record(furnace_id, event_ns), value=b"\0" * (MAX_RECORD_BYTES + 1))


def _unknown_schema(furnace_id: str, event_ns: int) -> InputRecord:
    return sample_record(furnace_id, event_ns).with_headers(("schema", b"current/2.0"))


def _cut_short(furnace_id: str, event_ns: int) -> InputRecord:
    record = frame_record(furnace_id, event_ns)
    return replace(record, value=(record.value or b"")[:-7])


def _without_value(furnace_id: str, event_ns: int) -> InputRecord:
    return replace(sample_record(furnace_id, event_ns), value=None)


def _without_key(furnace_id: str, event_ns: int) -> InputRecord:
    return replace(sample_record(furnace_id, event_ns), key=None)


def _other_key(furnace_id: str, event_ns: int) -> InputRecord:
    return replace(sample_record(furnace_id, event_ns), key=b"somebody/else")


def _other_content_type(furnace_id: str, event_ns: int) -> InputRecord:
    headers = headers_for(embedding.SCHEMA, "application/json")
    return frame_record(furnace_id, event_ns).with_headers(*headers)


def _infinite(furnace_id: str, event_ns: int) -> InputRecord:
    chunk = CurrentChunk(
        identity(furnace_id, "meter", 0, event_ns),
        event_ns,
        PERIOD_NS,
        np.array([[1.0, 2.0, np.inf]], np.float32),
    )
    headers = tuple(headers_for(current.SCHEMA))
    return InputRecord(
        Topic.CURRENTS, furnace_id.encode(), encode_current(chunk), headers, event_ns // 10**6
    )


def _from_the_future(furnace_id: str, event_ns: int) -> InputRecord:
    return sample_record(furnace_id, event_ns, sent_ns=event_ns - 3 * NS_PER_S)


def _other_source(furnace_id: str, event_ns: int) -> InputRecord:
    return frame_record(furnace_id, event_ns, source_id="second-camera")


def _other_encoder(furnace_id: str, event_ns: int) -> InputRecord:
    basis = np.eye(1, 192, dtype=np.float32)
    return frame_record(furnace_id, event_ns, encoder=Encoder("other", basis))


BAD_KINDS = (
    BadKind("too large", Refusal.TOO_LARGE, _too_large),
    BadKind("unknown schema", Refusal.UNKNOWN_SCHEMA, _unknown_schema),
    BadKind("cut short", Refusal.MALFORMED, _cut_short),
    BadKind("without value", Refusal.MALFORMED, _without_value),
    BadKind("without key", Refusal.CONTRACT_VIOLATION, _without_key),
    BadKind("other key", Refusal.CONTRACT_VIOLATION, _other_key),
    BadKind("other content type", Refusal.CONTRACT_VIOLATION, _other_content_type),
    BadKind("infinite", Refusal.NON_FINITE, _infinite),
    BadKind("from the future", Refusal.FUTURE_EVENT_TIME, _from_the_future),
    BadKind("other source", Refusal.UNEXPECTED_SOURCE, _other_source),
    BadKind("other encoder", Refusal.UNKNOWN_ENCODER, _other_encoder),
)
"""In the order in which the contract judges them."""
