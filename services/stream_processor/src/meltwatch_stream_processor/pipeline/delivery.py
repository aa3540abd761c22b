"""Scores, late copies and dead letters: what they are as records, and written until written."""

from functools import partial
from typing import Final

from meltwatch_chassis.kafka.record import Delivered
from meltwatch_chassis.metrics import Metrics
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

from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import Publisher

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


class Delivery:
    """Publishes scores, late copies and dead letters; returns only once Kafka has them.

    In shadow it publishes scores alone: what is late or refused, the live process sets aside.

    Parameters
    ----------
    publisher
        Kafka.
    topics
        Where to.
    metrics
        Dead letters are counted by their reason.
    retry
        Repeats what Kafka did not take.
    """

    def __init__(
        self, publisher: Publisher, topics: TopicNames, metrics: Metrics, retry: Retry
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._metrics = metrics
        self._retry = retry

    async def deliver_score(
        self, score: WindowScore, traceparent: str | None = None
    ) -> tuple[OutgoingRecord, Delivered]:
        """Publish a score in its trace; return the record and where it stands."""
        record = score_record(score, self._topics, traceparent)
        return record, await self._deliver(record)

    async def late(self, raw: RawRecord) -> None:
        """Copy a late record."""
        if self._topics.in_shadow:
            return
        await self._deliver(late_copy(raw, self._topics))

    async def dead_letter(self, raw: RawRecord, refusal: ContractViolation) -> None:
        """Set a refused record aside."""
        if self._topics.in_shadow:
            return
        await self._deliver(dead_letter(raw, refusal, self._topics))
        self._metrics.dead_letters.labels(refusal.reason.value).inc()

    async def flush(self) -> None:
        """Wait until no record is on its way any more."""
        await self._publisher.flush()

    async def _deliver(self, record: OutgoingRecord) -> Delivered:
        attempt = partial(self._publisher.publish, record)
        return await self._retry.until_done(attempt, f"publishing to {record.topic}")
