"""The tail of the scores topic behind the ``ScoreHistory`` port, read without a group."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import timestamp_ms

_Choose = Callable[[AsyncReader, str, int], Awaitable[range]]
_NEWEST: Final = 500
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
        part = self._topic, partition
        # What somebody else's transaction keeps open must not hide what we wrote behind it.
        async with AsyncReader.connected(
            self._connection, isolation_level="read_uncommitted"
        ) as reader:
            offsets = await choose(reader, *part)
            async for record in reader.read(*part, offsets):
                score = _read(record)
                if score is not None:
                    yield score


async def _newest_offsets(reader: AsyncReader, topic: str, partition: int) -> range:
    end = await reader.end(topic, partition)
    return range(max(await reader.first_offset(topic, partition), end - _NEWEST), end)


async def _offsets_since(reader: AsyncReader, topic: str, partition: int, since_ms: int) -> range:
    end = await reader.end(topic, partition)
    start = await reader.offset_near(topic, partition, since_ms)
    return range(end if start is None else start, end)


def _read(record: RawRecord) -> WindowScore | None:
    try:
        return read_score(record)
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
