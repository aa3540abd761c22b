"""Kafka records in and out: what was read, and what is written about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_chassis.tracing import TRACEPARENT
from meltwatch_schemas.dead_letter import (
    dead_letter_headers,
    dead_letter_key,
    dead_letter_value,
)
from meltwatch_schemas.errors import ContractViolation, malformed
from meltwatch_schemas.record import RawRecord, headers_for, read_current, read_embedding
from meltwatch_schemas.score import SCHEMA, Modality, WindowScore, encode_score
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_stream_processor.domain.buffers import Chunk
from meltwatch_stream_processor.domain.reading_order import Entry
from meltwatch_stream_processor.pipeline.topics import TopicNames
from meltwatch_stream_processor.ports import OutgoingRecord

SERVICE: Final = "stream_processor"
# What a record costs in memory beside its bytes.
_OVERHEAD_BYTES: Final = 1024
_READERS: Final[Mapping[Modality, Callable[[RawRecord], Chunk]]] = {
    Modality.VIDEO: read_embedding,
    Modality.CURRENT: read_current,
}


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as it came, and what it says: a chunk, or why it is refused.

    Attributes
    ----------
    raw
        Key, bytes and headers, which a late copy or a dead letter keeps.
    content
        The chunk or the refusal.
    """

    raw: RawRecord
    content: Chunk | ContractViolation


def read(raw: RawRecord, modality: Modality) -> Entry[ReadRecord]:
    """Decode a record of an input topic and give it its place in the reading order."""
    size_bytes = len(raw.value or b"") + _OVERHEAD_BYTES
    try:
        chunk = _READERS[modality](raw)
    except ContractViolation as refusal:
        return Entry(modality, raw.offset, None, size_bytes, ReadRecord(raw, refusal))
    except Exception as error:  # noqa: BLE001 - whatever a record does to a decoder, it is kept
        unforeseen = malformed(f"expected a record that can be decoded, got {error!r}"[:300])
        return Entry(modality, raw.offset, None, size_bytes, ReadRecord(raw, unforeseen))
    return Entry(modality, raw.offset, chunk.last_event_ns, size_bytes, ReadRecord(raw, chunk))


def late_copy(raw: RawRecord, topics: TopicNames) -> OutgoingRecord:
    """Return the copy of a late record: its key, bytes and headers as they were."""
    return OutgoingRecord(topics.late, raw.key, raw.value, raw.headers)


def dead_letter(raw: RawRecord, refusal: ContractViolation, topics: TopicNames) -> OutgoingRecord:
    """Return a refused record as a dead letter: key and bytes as they were, and why."""
    headers = tuple(dead_letter_headers(raw, SERVICE, refusal))
    key, value = dead_letter_key(raw), dead_letter_value(raw)
    return OutgoingRecord(topics.dead_letters, key, value, headers)


def score_record(
    score: WindowScore, topics: TopicNames, traceparent: str | None = None
) -> OutgoingRecord:
    """Return a score as it is published: under its furnace, at its window's end, in its trace."""
    headers = headers_for(SCHEMA)
    if traceparent is not None:
        headers.append((TRACEPARENT, traceparent.encode()))
    return OutgoingRecord(
        topics.scores,
        score.furnace_id.encode(),
        encode_score(score),
        tuple(headers),
        timestamp_ms(score.window_end_ns),
    )
