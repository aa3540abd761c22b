"""Scores, commands and alarm points from where they were committed; whole topics at the start."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.async_admin import Part, administration, partitions_of
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_chassis.kafka.record import told
from meltwatch_chassis.kafka.topic_watch import TopicWatch
from meltwatch_core.alarms.caution import MOST_READ
from meltwatch_core.alarms.commit_note import commit_of
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

_HISTORY_WAIT_MS: Final = 10
"""A topic's end is known: there is nothing to wait for."""
_REST_S: Final = 0.05
"""Scores of a large plant come 50 ms at a time, 25 ms later in the mean: asking the broker costs
more than judging what one answer brings."""
_FETCH_BYTES: Final = 8 * 1024 * 1024


class KafkaIntake:
    """Reads all partitions; what is committed is the ledger's business.

    Parameters
    ----------
    reader
        Kafka.
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    group_id
        Under which the ledger commits.
    topics
        What to read.
    watch
        Tells when these are other topics than at the beginning.
    """

    def __init__(
        self,
        reader: AsyncReader,
        connection: Mapping[str, Any],
        prefix: str,
        group_id: str,
        topics: Collection[Topic],
        watch: TopicWatch,
    ) -> None:
        self._reader = reader
        self._watch = watch
        self._connection = connection
        self._prefix = prefix
        self._group_id = group_id
        self._topics = topics
        self._whole: dict[Place, int] = {}
        self._scores: list[Place] = []
        self._history: dict[Part, int] = {}
        self._waiting: list[Part] = []

    @property
    def topic_ids(self) -> Mapping[str, str]:
        """What the broker called each topic at the beginning."""
        return self._watch.ids

    async def committed(self) -> dict[Place, Commit | None]:
        """Return every partition that is to be read, with what has been committed for it."""
        async with administration(self._connection) as admin:
            found = await admin.list_consumer_group_offsets(self._group_id)
            places = {
                part: Place(topic, part[1])
                for topic in self._topics
                for part in await partitions_of(admin, topic.under(self._prefix))
            }
        ends = await self._reader.ends(places)
        with kafka_failures("reading what is committed"):
            return {
                place: _possible(commit_of(found[part].offset, found[part].metadata), ends[part])
                if part in found
                else None
                for part, place in places.items()
            }

    async def whole(self, topic: Topic) -> AsyncIterator[RawRecord]:
        """Read a topic of one partition from its beginning to its present end, and not beyond.

        What comes meanwhile belongs to what ``read_from`` brings: nothing may be taken for restored
        history that is to be judged.
        """
        place = Place(topic, 0)
        part = self._part(place)
        async with self._history_reader() as reader:
            first, end = await reader.first_offset(*part), await reader.end(*part)
            self._whole[place] = end
            async for record in reader.read(*part, range(first, end)):
                yield told(record)

    async def tail(self, topic: Topic, most: int) -> AsyncIterator[RawRecord]:
        """Read what stands at the end of a topic of one partition, at most so many offsets."""
        part = self._part(Place(topic, 0))
        async with self._history_reader() as reader:
            first, end = await reader.first_offset(*part), await reader.end(*part)
            async for record in reader.read(*part, range(max(first, end - most), end)):
                yield told(record)

    def _history_reader(self) -> AbstractAsyncContextManager[AsyncReader]:
        return AsyncReader.connected(self._connection, fetch_max_wait_ms=_HISTORY_WAIT_MS)

    async def read_from(
        self, offsets: Mapping[Place, int | None], judged: Mapping[Place, int]
    ) -> dict[Place, range]:
        """Start reading at the given offsets; with None where ``whole`` ended, else at the end.

        Scores that were judged before come first, and nothing else beside them. So a command finds
        what its alarm rests on, and the last record of one that it ends says up to which window.

        Parameters
        ----------
        offsets
            Where each partition begins.
        judged
            Up to where partitions of the scores were judged before.

        Returns
        -------
        From where reading really starts, up to the present end. It starts at the beginning where
        an offset is not there any more, or lies beyond the end (the topic was made anew).
        """
        parts = {place: self._part(place) for place in offsets}
        first = await self._reader.begins(parts.values())
        last = await self._reader.ends(parts.values())
        unread = {}
        for place, offset in offsets.items():
            end = last[parts[place]]
            wanted = self._whole.get(place, end) if offset is None else offset
            unread[place] = range(_start(wanted, first[parts[place]], end), end)
        self._reader.follow({parts[place]: found.start for place, found in unread.items()})
        self._scores = [place for place in offsets if place.topic is Topic.SCORES]
        self._history = {
            parts[place]: min(judged.get(place, 0), last[parts[place]]) for place in self._scores
        }
        if not await self._reader.has_read(self._history):
            self._waiting = [parts[place] for place in offsets if place.topic is not Topic.SCORES]
            self._reader.pause(self._waiting)
        return unread

    async def poll(self, timeout_s: float) -> Sequence[RawRecord]:
        """Return the next records of any partition; none after the timeout.

        Raises
        ------
        TransientError
            If the broker does not answer, or a topic was made again.
        """
        self._watch.require_same()
        if self._waiting and await self._reader.has_read(self._history):
            self._reader.resume(self._waiting)
            self._waiting = []
        return [told(record) for record in await self._reader.poll(timeout_s, MOST_READ)]

    async def ends(self) -> dict[Place, int]:
        """Ask the broker how far the scores go at present."""
        ends = await self._reader.ends(map(self._part, self._scores))
        return {place: ends[self._part(place)] for place in self._scores}

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        """Tell whether reading has passed these ends; markers count as read."""
        return await self._reader.has_read({self._part(place): end for place, end in ends.items()})

    def _part(self, place: Place) -> Part:
        return place.topic.under(self._prefix), place.partition


@asynccontextmanager
async def open_intake(
    connection: Mapping[str, Any], prefix: str, group_id: str, topics: Collection[Topic]
) -> AsyncIterator[KafkaIntake]:
    """Connect an intake.

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
    async with (
        TopicWatch.begun(connection, [topic.under(prefix) for topic in topics]) as watch,
        AsyncReader.connected(connection, _REST_S, fetch_max_bytes=_FETCH_BYTES) as reader,
    ):
        yield KafkaIntake(reader, connection, prefix, group_id, topics, watch)


def _start(wanted: int, first: int, last: int) -> int:
    return wanted if first <= wanted <= last else first


def _possible(commit: Commit | None, end: int) -> Commit | None:
    """Return a commit without what it says of records that are not there."""
    if commit is None or commit.position <= end or commit.offset > end:
        return commit
    return Commit(commit.offset, commit.offset, 0)
