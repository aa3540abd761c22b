"""The alarms topic and the tail of the scores, for the projection."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from meltwatch_chassis.kafka.async_admin import administration, offset_of, partitions_of
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.adapters.kafka_entry import enter

_MAX_RECORDS: Final = 500
_FETCH_BYTES: Final = 8 * 1024 * 1024
_TAIL_RECORDS: Final = 1_000
"""Scores per partition that are read again for the furnaces' newest verdicts."""


class KafkaFeed:
    """A consumer without a group and without commits: the view itself knows its offset.

    Parameters
    ----------
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    """

    def __init__(self, connection: Mapping[str, Any], prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._alarms = TopicPartition(Topic.ALARMS.under(prefix), 0)
        self._scores = Topic.SCORES.under(prefix)
        self._end = 0
        self._consumer = AIOKafkaConsumer(
            **connection,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_bytes=_FETCH_BYTES,
        )

    async def __aenter__(self) -> Self:
        with kafka_failures("connecting the projection"):
            try:
                await enter(self._connection, self._prefix)
                await self._consumer.start()
            except BaseException:
                await self._consumer.stop()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with kafka_failures("disconnecting the projection"):
            await self._consumer.stop()

    async def end(self) -> int:
        """Return the present end of the alarms topic."""
        with kafka_failures("asking for the end of the alarms"):
            return offset_of(await self._consumer.end_offsets([self._alarms]), self._alarms)

    async def read_from(self, alarms_offset: int) -> None:
        """Start reading alarms at an offset, and scores a little before their ends."""
        async with administration(self._connection) as admin:
            scores = await partitions_of(admin, self._scores)
        with kafka_failures("seeking for the projection"):
            self._consumer.assign([self._alarms, *scores])
            first = await self._consumer.beginning_offsets([self._alarms, *scores])
            last = await self._consumer.end_offsets([self._alarms, *scores])
            self._end = offset_of(last, self._alarms)
            begin = max(alarms_offset, offset_of(first, self._alarms))
            self._consumer.seek(self._alarms, begin)
            for tp in scores:
                tail = offset_of(last, tp) - _TAIL_RECORDS
                self._consumer.seek(tp, max(offset_of(first, tp), tail))

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records; none after the timeout."""
        with kafka_failures("reading for the projection"):
            batches = await self._consumer.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=_MAX_RECORDS
            )
        return [raw_record(record) for records in batches.values() for record in records]

    async def has_caught_up(self) -> bool:
        """Tell whether reading has reached the end that the alarms topic had at the beginning."""
        with kafka_failures("asking for the projection's position"):
            return bool(await self._consumer.position(self._alarms) >= self._end)
