"""The tail of the scores topic behind the ``ScoreHistory`` port, read without a group."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.raw_record import raw_record
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import timestamp_ms

_POLL_MS: Final = 1_000
_log = structlog.get_logger()


class KafkaScoreHistory:
    """Reads what was published of one partition since an event time.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    topic
        Full name of the scores topic.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str) -> None:
        self._connection = connection
        self._topic = topic

    async def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        """Read a scores partition from an event time to its present end, in offset order.

        A record that is no score of ours (the topic is open to others) is passed over.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        part = TopicPartition(self._topic, partition)
        consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign([part])
            async for record in _until_end(consumer, part, timestamp_ms(max(time_ns, 0))):
                score = _read(record)
                if score is not None:
                    yield score
        except KafkaError as error:
            raise TransientError(f"reading {self._topic} partition {partition}: {error}") from error
        finally:
            await consumer.stop()


async def _until_end(
    consumer: AIOKafkaConsumer, part: TopicPartition, since_ms: int
) -> AsyncIterator[ConsumerRecord]:
    end = (await consumer.end_offsets([part]))[part]
    first = (await consumer.offsets_for_times({part: since_ms}))[part]
    if first is None:
        return
    consumer.seek(part, first.offset)
    # Positions, not records, tell the end: markers and retention leave gaps between offsets.
    while await consumer.position(part) < end:
        batches: Mapping[TopicPartition, Iterable[ConsumerRecord]] = await consumer.getmany(
            part, timeout_ms=_POLL_MS
        )
        for record in batches.get(part, ()):
            if record.offset < end:
                yield record


def _read(record: ConsumerRecord) -> WindowScore | None:
    try:
        return read_score(raw_record(record))
    except ContractViolation as refusal:
        _log.warning(
            "score_of_history_passed_over",
            topic=record.topic, partition=record.partition, offset=record.offset,
            error=refusal.reason.value, detail=refusal.detail,
        )  # fmt: skip
        return None
