"""Scores, commands and alarm points from where they were committed; whole topics at the start."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from meltwatch_chassis.kafka.async_admin import administration, offset_of, partitions_of
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_chassis.kafka.record import raw_record, told
from meltwatch_core.alarms.caution import BATCH
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.adapters.kafka_commit import read_commit

_WHOLE_POLL_S: Final = 0.1  # the last thing in a topic may be a marker, which no poll returns
_FETCH_WAIT_MS: Final = 100  # each change of topic waits for the fetch that is under way
_FETCH_BYTES: Final = 8 * 1024 * 1024


class KafkaIntake:
    """A consumer without a group: it reads all partitions, offsets are the ledger's business.

    Parameters
    ----------
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    group_id
        Under which the ledger commits.
    topics
        What to read.
    """

    def __init__(
        self, connection: Mapping[str, Any], prefix: str, group_id: str, topics: Collection[Topic]
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._group_id = group_id
        self._topics = topics
        self._consumer = AIOKafkaConsumer(
            **connection,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            fetch_max_bytes=_FETCH_BYTES,
        )

    async def __aenter__(self) -> Self:
        with kafka_failures("connecting"):
            try:
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
        with kafka_failures("disconnecting"):
            await self._consumer.stop()

    async def committed(self) -> dict[Place, Commit | None]:
        """Return every partition that is to be read, with what has been committed for it."""
        async with administration(self._connection) as admin:
            found = await admin.list_consumer_group_offsets(self._group_id)
            places = {
                tp: Place(topic, tp.partition)
                for topic in self._topics
                for tp in await partitions_of(admin, topic.under(self._prefix))
            }
        with kafka_failures("asking for the ends of what is committed"):
            ends = await self._consumer.end_offsets(list(places))
            return {
                place: _possible(read_commit(found[tp]), offset_of(ends, tp))
                if tp in found
                else None
                for tp, place in places.items()
            }

    async def whole(self, topic: Topic) -> AsyncIterator[RawRecord]:
        """Read a topic of one partition from its beginning to its present end.

        Only committed records; compaction and markers leave gaps in their offsets.
        """
        partition = TopicPartition(topic.under(self._prefix), 0)
        with kafka_failures(f"reading all of {topic.value}"):
            self._consumer.assign([partition])
            await self._consumer.seek_to_beginning(partition)
            end = offset_of(await self._consumer.end_offsets([partition]), partition)
            while await self._consumer.position(partition) < end:
                for record in await self._poll(_WHOLE_POLL_S):
                    yield record

    async def read_from(self, offsets: Mapping[Place, int | None]) -> dict[Place, int]:
        """Start reading at the given offsets, or with None at the present end.

        Returns
        -------
        Where reading really starts: the beginning where an offset is not there any more, or
        lies beyond the end (the topic was made anew).
        """
        partitions = [self._partition(place) for place in offsets]
        with kafka_failures("seeking"):
            self._consumer.assign(partitions)
            first = await self._consumer.beginning_offsets(partitions)
            last = await self._consumer.end_offsets(partitions)
            starts = {}
            for place, offset in offsets.items():
                tp = self._partition(place)
                starts[place] = _start(offset, offset_of(first, tp), offset_of(last, tp))
                self._consumer.seek(tp, starts[place])
        return starts

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records of any partition; none after the timeout."""
        with kafka_failures("reading"):
            return await self._poll(timeout_s)

    async def ends(self) -> dict[Place, int]:
        """Ask the broker how far the scores go at present."""
        name = Topic.SCORES.under(self._prefix)
        partitions = [tp for tp in self._consumer.assignment() if tp.topic == name]
        with kafka_failures("asking for the ends of the scores"):
            ends = await self._consumer.end_offsets(partitions)
        return {Place(Topic.SCORES, tp.partition): offset_of(ends, tp) for tp in partitions}

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        """Tell whether reading has passed these ends; markers count as read."""
        with kafka_failures("asking how far reading is"):
            for place, end in ends.items():
                if await self._consumer.position(self._partition(place)) < end:
                    return False
        return True

    async def _poll(self, timeout_s: float) -> list[RawRecord]:
        batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=BATCH)
        return [told(raw_record(record)) for records in batches.values() for record in records]

    def _partition(self, place: Place) -> TopicPartition:
        return TopicPartition(place.topic.under(self._prefix), place.partition)


def _start(wanted: int | None, first: int, last: int) -> int:
    if wanted is None:
        return last
    return wanted if first <= wanted <= last else first


def _possible(commit: Commit | None, end: int) -> Commit | None:
    """Return a commit without what it says of records that are not there."""
    if commit is None or commit.position <= end or commit.offset > end:
        return commit
    return Commit(commit.offset, commit.offset, 0)
