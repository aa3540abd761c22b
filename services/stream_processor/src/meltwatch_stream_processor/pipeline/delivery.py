"""Writing to Kafka until it is written, and counting what was written why."""

from functools import partial

from meltwatch_chassis.kafka.record import Delivered
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.topics import TopicNames
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.score import WindowScore

from meltwatch_stream_processor.pipeline.records import dead_letter, late_copy, score_record
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import Publisher


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
