"""The tail of the scores topic behind the ``ScoreHistory`` port, read without a group."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownError
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_stream_processor.adapters.kafka_span import read_span, reader

_Choose = Callable[[AIOKafkaConsumer, TopicPartition], Awaitable[range]]
_NEWEST: Final = 500
_EARLIER_MS: Final = (0, 10_000, 1_000_000, 100_000_000)
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

    def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        """Read a scores partition from an event time to its present end, in offset order.

        A record that is no score of ours (the topic is open to others) is passed over.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        since_ms = timestamp_ms(max(time_ns, 0))
        return self._read(partition, partial(_offsets_since, since_ms=since_ms))

    def newest(self, partition: int) -> AsyncIterator[WindowScore]:
        """Read the last hundreds of records of a scores partition, likewise.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        return self._read(partition, _newest_offsets)

    async def _read(self, partition: int, choose: _Choose) -> AsyncIterator[WindowScore]:
        part = TopicPartition(self._topic, partition)
        try:
            async with reader(self._connection, part) as consumer:
                offsets = await choose(consumer, part)
                async for record in read_span(consumer, part, offsets):
                    score = _read(record)
                    if score is not None:
                        yield score
        except KafkaError as error:
            raise TransientError(f"reading {self._topic} partition {partition}: {error}") from error


async def _newest_offsets(consumer: AIOKafkaConsumer, part: TopicPartition) -> range:
    end = (await consumer.end_offsets([part]))[part]
    first = (await consumer.beginning_offsets([part]))[part]
    return range(max(first, end - _NEWEST), end)


async def _offsets_since(consumer: AIOKafkaConsumer, part: TopicPartition, since_ms: int) -> range:
    end = (await consumer.end_offsets([part]))[part]
    return range(await _first_since(consumer, part, since_ms, end), end)


async def _first_since(
    consumer: AIOKafkaConsumer, part: TopicPartition, since_ms: int, end: int
) -> int:
    """Return the first offset since a time, or one before it where the broker cannot tell.

    It reads a whole record to tell, and fails where that unpacks to more than it has memory for.
    """
    for earlier_ms in _EARLIER_MS:
        try:
            found = await consumer.offsets_for_times({part: max(since_ms - earlier_ms, 0)})
        except UnknownError:
            _log.warning("broker_finds_no_time", topic=part.topic, partition=part.partition)
        else:
            return end if found[part] is None else int(found[part].offset)
    return int((await consumer.beginning_offsets([part]))[part])


def _read(record: ConsumerRecord) -> WindowScore | None:
    try:
        return read_score(raw_record(record))
    except ContractViolation as refusal:
        reason, detail = refusal.reason, refusal.detail
    except Exception as error:  # noqa: BLE001 - whatever a record does to a decoder
        reason, detail = Refusal.MALFORMED, repr(error)[:300]
    _log.warning(
        "score_of_history_passed_over",
        topic=record.topic, partition=record.partition, offset=record.offset,
        error=reason.value, detail=escaped(detail),
    )  # fmt: skip
    return None
