"""Scores of all partitions, without a group: those of now at once, the last hour behind them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.async_admin import Part, administration, partitions_of
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.tasks import cancel
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.adapters.read_counts import ReadCounts

TakeScores = Callable[[Sequence[WindowScore]], None]
_FIRST_MS: Final = 40_000
"""Read at once: the newest score of each furnace, and its filmstrip."""
_HISTORY_MS: Final = 3_600_000
_POLL_S: Final = 0.5
_MOST: Final = 500
_PAUSE_S: Final = 1.0
_REST: Final = 2.0
"""History is read in a third of the time: whoever looks now comes first."""
_log = structlog.get_logger()


class ScoreFeed:
    """Follows the topic of scores.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        Topic prefix.
    take
        Given the scores as they come.
    counts
        Told what was read, and what is no score.
    clock
        Wall clock: from when on scores are read.

    Attributes
    ----------
    problem
        One line that says why nothing is read now; None when all is well.
    known_ms
        Up to when the scores are known already; those before it are not read again.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        prefix: str,
        take: TakeScores,
        counts: ReadCounts,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._topic = Topic.SCORES.under(prefix)
        self._take = take
        self._counts = counts
        self._clock = clock
        self._positions: dict[Part, int] = {}
        self._history: dict[Part, int] = {}
        self._stops: dict[Part, int] = {}
        self.problem: str | None = "scores: not yet connected to Kafka"
        self.known_ms = 0

    @property
    def history_left(self) -> int:
        """How many records of the past are still to be read."""
        return sum(stop - self._history[part] for part, stop in self._stops.items())

    async def follow(self) -> None:
        """Follow the scores; never ends by itself, and goes on where it was after an outage."""
        while True:
            try:
                async with AsyncReader.connected(self._connection) as reader:
                    await self._follow(reader)
            except (TransientError, FatalError) as error:
                if self.problem is None:
                    _log.warning("scores_interrupted", error=escaped(str(error)))
                self.problem = f"scores: {error}"
            await asyncio.sleep(_PAUSE_S)

    async def _follow(self, reader: AsyncReader) -> None:
        if not self._positions:
            await self._begin(reader)
        reader.follow(self._positions)
        behind = asyncio.create_task(self._read_history())
        try:
            while True:
                records = await reader.poll(_POLL_S, _MOST)
                self.problem = None
                self._hand_on(records)
                for raw in records:
                    self._positions[raw.topic, raw.partition] = raw.offset + 1
        finally:
            await cancel([behind])

    async def _begin(self, reader: AsyncReader) -> None:
        """Find where to begin in each partition: in all of them, or in none."""
        async with administration(self._connection) as admin:
            parts = await partitions_of(admin, self._topic)
        now_ms = self._clock.now_ns() // NS_PER_MS
        since_ms = max(now_ms - _HISTORY_MS, min(self.known_ms, now_ms - _FIRST_MS))
        positions, history = await reader.ends(parts), {}
        for part in parts:
            first = await reader.offset_near(*part, now_ms - _FIRST_MS)
            oldest = await reader.offset_near(*part, since_ms)
            positions[part] = positions[part] if first is None else first
            history[part] = positions[part] if oldest is None else oldest
        self._positions, self._history, self._stops = positions, history, dict(positions)

    async def _read_history(self) -> None:
        """Read what lies before the first picture; what goes wrong is tried again later."""
        try:
            async with AsyncReader.connected(self._connection) as reader:
                for part, start in list(self._history.items()):
                    await self._read_partition(reader, part, range(start, self._stops[part]))
        except (TransientError, FatalError) as error:
            _log.warning("history_of_scores_interrupted", error=escaped(str(error)))

    async def _read_partition(self, reader: AsyncReader, part: Part, offsets: range) -> None:
        loop = asyncio.get_running_loop()
        held: list[RawRecord] = []
        since = loop.time()
        async for raw in reader.read(*part, offsets):
            held.append(raw)
            if len(held) == _MOST:
                self._hand_on(held)
                self._history[part] = raw.offset + 1
                held = []
                await asyncio.sleep((loop.time() - since) * _REST)
                since = loop.time()
        self._hand_on(held)
        self._history[part] = offsets.stop

    def _hand_on(self, records: Sequence[RawRecord]) -> None:
        scores = []
        for raw in records:
            self._counts.count_read(raw)
            try:
                scores.append(read_score(raw))
            except ContractViolation as error:
                self._counts.refuse(raw, error)
        if scores:
            self._take(scores)
