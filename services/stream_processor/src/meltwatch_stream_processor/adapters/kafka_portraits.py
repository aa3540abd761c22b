"""The topic of portraits behind the ``PortraitFeed`` port, read without a group."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from meltwatch_chassis.dependencies import KAFKA, Dependencies
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.topic_watch import TopicWatch
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.portraits import KnownPortrait

from meltwatch_stream_processor.pipeline.novelties import PortraitBook

_WHAT: Final = "reading portraits"
_POLL_S: Final = 1.0
_PAUSE_S: Final = 1.0
_AT_ONCE: Final = 20


class KafkaPortraits:
    """Reads all portraits, and goes on with what comes.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    topic
        Full name of the topic of portraits.
    most
        Portraits that are held.
    dependencies
        Told while Kafka is away.
    metrics
        What is held and what is refused is counted.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        most: int,
        dependencies: Dependencies,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._book = PortraitBook(most, metrics)
        self._dependencies = dependencies
        self._settled = asyncio.Event()

    def of(self, furnace_id: str) -> KnownPortrait | None:
        """Return the portrait of a furnace, if it has one."""
        return self._book.of(furnace_id)

    async def settle(self) -> None:
        """Wait until every portrait has been read that stood there at the beginning."""
        await self._settled.wait()

    async def follow(self) -> None:
        """Read on until cancelled; from the beginning after an outage, or if the topic is new.

        Raises
        ------
        FatalError
            If a right is missing.
        """
        while True:
            try:
                await self._read_on()
            except TransientError as error:
                self._dependencies.tell(KAFKA, _WHAT, f"{_WHAT}: {error}")
            await asyncio.sleep(_PAUSE_S)

    async def _read_on(self) -> None:
        async with (
            TopicWatch.begun(self._connection, [self._topic]) as watch,
            AsyncReader.connected(self._connection) as reader,
        ):
            part = self._topic, 0
            end = await reader.end(*part)
            reader.follow({part: await reader.first_offset(*part)})
            self._book.begin_anew()
            while not await reader.has_read({part: end}):
                await self._take(reader)
            self._book.settle()
            self._settled.set()
            self._dependencies.tell(KAFKA, _WHAT, None)
            while True:
                await self._take(reader)
                watch.require_same()

    async def _take(self, reader: AsyncReader) -> None:
        for raw in await reader.poll(_POLL_S, _AT_ONCE):
            self._book.take(raw)
