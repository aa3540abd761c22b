"""What Kafka still has of a furnace, read only when somebody looks, within a budget of bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.async_admin import administration, partitions_of
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_current, read_embedding, read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_console.adapters.read_counts import ReadCounts
from meltwatch_console.errors import TooDear

_PATIENCE_S: Final = 10.0
_ONE_BATCH: Final = 1
"""Bytes of a fetch: a broker answers with one batch however large, and with no more."""
_STRETCH: Final = 128 * 1024
_WAIT_MS: Final = 50
"""At the end of a topic a fetch waits so long, and the next question behind it."""
_SLACK_MS: Final = 5_000
"""Records of several furnaces stand out of the order of their times by about so much."""
_Read = TypeVar("_Read", EmbeddingChunk, CurrentChunk, WindowScore)


class _Line:
    """One connection, made when it is wanted and anew after a failure; one question at a time."""

    def __init__(self, connection: Mapping[str, Any], fetch_bytes: int) -> None:
        self._connection = connection
        self._fetch_bytes = fetch_bytes
        self._one = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._reader: AsyncReader | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncReader]:
        async with self._one:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    yield await self._connected()
            except TimeoutError:
                await self.close()
                raise TransientError("Kafka: expected an answer within 10 s, got none") from None
            except TransientError:
                await self.close()
                raise
            finally:
                if self._reader is not None:
                    self._reader.follow({})  # nothing is fetched while nobody looks

    async def close(self) -> None:
        self._reader = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def _connected(self) -> AsyncReader:
        if self._reader is None:
            connecting = AsyncReader.connected(
                self._connection,
                max_partition_fetch_bytes=self._fetch_bytes,
                fetch_max_wait_ms=_WAIT_MS,
            )
            self._reader = await self._stack.enter_async_context(connecting)
        return self._reader


class KafkaArchive:
    """Reads single frames and stretches of time.

    Each call raises a ``TransientError`` where Kafka does not answer.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        Topic prefix.
    counts
        Told what was read, and what is none of its topic.
    """

    def __init__(self, connection: Mapping[str, Any], prefix: str, counts: ReadCounts) -> None:
        self._connection = connection
        self._prefix = prefix
        self._counts = counts
        self._frames = _Line(connection, _ONE_BATCH)
        self._stretches = _Line(connection, _STRETCH)
        self._partitions: int | None = None

    async def aclose(self) -> None:
        """Let go of the broker."""
        await self._frames.close()
        await self._stretches.close()

    async def frame(self, furnace_id: str, partition: int, offset: int) -> EmbeddingChunk | None:
        """Return the record at an offset; None if it is gone, another furnace's, or no frame."""
        topic = Topic.EMBEDDINGS.under(self._prefix)
        if partition >= await self._partition_count():
            return None
        async with self._frames.reading() as reader:
            if not await _is_held(reader, topic, partition, offset):
                return None
            async for raw in reader.read(topic, partition, range(offset, offset + 1)):
                self._counts.count_read(raw)
                return self._own(raw, furnace_id, read_embedding)
        return None

    async def scores(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[WindowScore]:
        """Return the scores of a furnace with window ends in ``[since, until]``.

        Raises
        ------
        TooDear
            If they cost more bytes than the budget.
        """
        span_ms = (since_ms, until_ms)
        found = self._stretch(Topic.SCORES, furnace_id, span_ms, budget, read_score)
        return [score async for score in found if score.run_id is None]

    async def currents(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[CurrentChunk]:
        """Return the chunks of a furnace's currents that end in ``[since, until]``.

        Raises
        ------
        TooDear
            If they cost more bytes than the budget.
        """
        span_ms = (since_ms, until_ms)
        found = self._stretch(Topic.CURRENTS, furnace_id, span_ms, budget, read_current)
        return [chunk async for chunk in found]

    async def frames_until(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[tuple[int, int, int]]:
        """Return partition, offset and event time of a furnace's frames: for scores of 1.0.

        Raises
        ------
        TooDear
            If looking for them costs more bytes than the budget.
        """
        span_ms = (since_ms, until_ms)
        partition = partition_of(furnace_id.encode(), await self._partition_count())
        found = self._located(Topic.EMBEDDINGS, furnace_id, span_ms, budget, read_embedding)
        return [
            (partition, offset, time_ns)
            async for offset, chunk in found
            for time_ns in chunk.event_times_ns.tolist()
        ]

    async def _stretch(
        self,
        topic: Topic,
        furnace_id: str,
        span_ms: tuple[int, int],
        budget: int,
        read: Callable[[RawRecord], _Read],
    ) -> AsyncIterator[_Read]:
        async for _, own in self._located(topic, furnace_id, span_ms, budget, read):
            yield own

    async def _located(
        self,
        topic: Topic,
        furnace_id: str,
        span_ms: tuple[int, int],
        budget: int,
        read: Callable[[RawRecord], _Read],
    ) -> AsyncIterator[tuple[int, _Read]]:
        """Yield offset and content of the furnace's records with timestamps in ``[since, until]``.

        A budget of bytes is for all that is read, that of its neighbours in the partition, too.
        """
        name, spent = topic.under(self._prefix), 0
        partition = partition_of(furnace_id.encode(), await self._partition_count())
        async with self._stretches.reading() as reader:
            end = await reader.end(name, partition)
            start = await reader.offset_near(name, partition, span_ms[0])
            stop = await reader.offset_near(name, partition, span_ms[1] + _SLACK_MS)
            offsets = range(end if start is None else start, end if stop is None else stop)
            async for raw in reader.read(name, partition, offsets):
                spent += self._counts.count_read(raw)
                if spent > budget:
                    raise TooDear(f"expected at most {budget} bytes of {topic}")
                is_within = span_ms[0] <= raw.timestamp_ms <= span_ms[1]
                if is_within and (own := self._own(raw, furnace_id, read)) is not None:
                    yield raw.offset, own

    async def _partition_count(self) -> int:
        if self._partitions is None:
            async with administration(self._connection) as admin:
                parts = await partitions_of(admin, Topic.SCORES.under(self._prefix))
            self._partitions = len(parts)
        return self._partitions

    def _own(
        self, raw: RawRecord, furnace_id: str, read: Callable[[RawRecord], _Read]
    ) -> _Read | None:
        """Return what a record of the furnace says; None for others, and for what is refused."""
        if raw.key != furnace_id.encode():
            return None
        try:
            return read(raw)
        except ContractViolation as error:
            self._counts.refuse(raw, error)
            return None


async def _is_held(reader: AsyncReader, topic: str, partition: int, offset: int) -> bool:
    part = (topic, partition)
    first, end = (await reader.begins([part]))[part], (await reader.ends([part]))[part]
    return first <= offset < end
