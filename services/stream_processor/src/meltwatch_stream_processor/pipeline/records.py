"""Outgoing records: late copies and dead letters of what was read, scores of windows."""

from typing import Final

from meltwatch_chassis.tracing import TRACEPARENT
from meltwatch_core.join.topics import TopicNames
from meltwatch_schemas.dead_letter import (
    dead_letter_headers,
    dead_letter_key,
    dead_letter_value,
)
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.score import SCHEMA, WindowScore, encode_score
from meltwatch_schemas.topics import timestamp_ms

SERVICE: Final = "stream_processor"


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
