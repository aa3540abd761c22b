"""The alarms topic and the tail of the scores, for the projection."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.async_admin import administration, partitions_of
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.topic_watch import TopicWatch
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.adapters.kafka_entry import enter

_MAX_RECORDS: Final = 500
_FETCH_BYTES: Final = 8 * 1024 * 1024
_REST_S: Final = 0.2
"""The view may be so much later: asking the broker costs more than what one answer brings."""
_TAIL_RECORDS: Final = 1_000
"""Scores per partition that are read again for the furnaces' newest verdicts."""


class KafkaFeed:
    """Commits nothing: the view itself knows its offset.

    Parameters
    ----------
    reader
        Kafka.
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    watch
        Tells when these are other topics than at the beginning.
    """

    def __init__(
        self, reader: AsyncReader, connection: Mapping[str, Any], prefix: str, watch: TopicWatch
    ) -> None:
        self._reader = reader
        self._watch = watch
        self._connection = connection
        self._alarms = Topic.ALARMS.under(prefix), 0
        self._scores = Topic.SCORES.under(prefix)
        self._end = 0

    @property
    def alarms_id(self) -> str | None:
        """What the broker calls the alarms topic: another one's offsets mean nothing in it."""
        return self._watch.ids.get(self._alarms[0])

    async def end(self) -> int:
        """Return the present end of the alarms topic."""
        return await self._reader.end(*self._alarms)

    async def read_from(self, alarms_offset: int) -> None:
        """Start reading alarms at an offset, and scores a little before their ends."""
        async with administration(self._connection) as admin:
            scores = await partitions_of(admin, self._scores)
        first = await self._reader.begins([self._alarms, *scores])
        last = await self._reader.ends([self._alarms, *scores])
        self._end = last[self._alarms]
        tails = {part: max(first[part], last[part] - _TAIL_RECORDS) for part in scores}
        begin = max(alarms_offset, first[self._alarms])
        self._reader.follow({self._alarms: begin, **tails})

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records; none after the timeout.

        Raises
        ------
        TransientError
            If the broker does not answer, or a topic was made again.
        """
        self._watch.require_same()
        return await self._reader.poll(timeout_s, _MAX_RECORDS)

    async def has_caught_up(self) -> bool:
        """Tell whether reading has reached the end that the alarms topic had at the beginning."""
        return await self._reader.has_read({self._alarms: self._end})


@asynccontextmanager
async def open_feed(connection: Mapping[str, Any], prefix: str) -> AsyncIterator[KafkaFeed]:
    """Connect a feed.

    Parameters
    ----------
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    """
    await enter(connection, prefix)
    topics = [topic.under(prefix) for topic in (Topic.ALARMS, Topic.SCORES)]
    async with (
        TopicWatch.begun(connection, topics) as watch,
        AsyncReader.connected(connection, _REST_S, fetch_max_bytes=_FETCH_BYTES) as reader,
    ):
        yield KafkaFeed(reader, connection, prefix, watch)
