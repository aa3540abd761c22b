"""All assigned partitions of one process: who works, what is committed, what moves."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.window import NS_PER_S

from meltwatch_stream_processor.errors import OutOfSequence
from meltwatch_stream_processor.pipeline.partition import PartitionPipeline, Surroundings
from meltwatch_stream_processor.pipeline.progress import Progress
from meltwatch_stream_processor.pipeline.records import SERVICE
from meltwatch_stream_processor.pipeline.start_offsets import start_offsets
from meltwatch_stream_processor.ports import TopicPartition

_BEAT_INTERVAL_S: Final = 1.0
_COMMIT_INTERVAL_S: Final = 1.0
# Longer than a fetch takes: what has not come for so long was passed over.
_LAG_INTERVAL_S: Final = 5.0
# Within a rebalance the group waits for us; a session may time out after 6 s.
_FLUSH_LIMIT_S: Final = 2.0
_CANCEL_AGAIN_S: Final = 1.0
_log = structlog.get_logger()


class Engine:
    """Runs a ``PartitionPipeline`` for each assigned partition number.

    Parameters
    ----------
    surroundings
        What the partitions share.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._pipelines: dict[int, PartitionPipeline] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._defect: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._assigned: frozenset[TopicPartition] | None = None
        self._committing = asyncio.Lock()
        self._committed: dict[TopicPartition, int] = {}
        self._starts: dict[TopicPartition, int] = {}
        self._reading = True
        self._lag: int | None = None
        self._lags = FurnaceGauge(surroundings.metrics.watermark_lag)
        self._skews = FurnaceGauge(surroundings.metrics.sync_skew)
        self.progress = Progress(surroundings.clock)

    async def run(self) -> None:
        """Work until cancelled.

        Raises
        ------
        ExceptionGroup
            Of ``FatalError`` if going on would break the contract.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._around.ends.run())
            group.create_task(self._around.judge.watch())
            group.create_task(self._commit_regularly())
            group.create_task(self._measure_lag_regularly())
            group.create_task(self._beat_regularly())
            await self._defect

    def receive(self, raw: RawRecord) -> None:
        """Take a record as read; one of no assignment, or while draining, is read again later."""
        pipeline = self._pipelines.get(raw.partition)
        if pipeline is None or not self._reading:
            return
        try:
            pipeline.receive(raw)
        except Exception as error:  # noqa: BLE001 - Faust would restart its agent, one record short
            if not self._defect.done():
                self._defect.set_exception(FatalError(f"defect: {error!r}"))

    async def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Take a new assignment; every partition of it is read from its committed offset."""
        self._assigned = frozenset(partitions)
        for part in self._assigned:
            # A pause that was on its way during the rebalance may have hit the new assignment.
            self._around.inputs.resume(part)
        numbers = sorted({part.partition for part in self._assigned})
        for number in numbers:
            # Before its first record, to ask where reading starts while the first fetch is made.
            self._begin(number)
        _log.info("partitions_assigned", partitions=numbers)

    async def revoked(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Drop the state of all partitions: those that stay with us are read again, too."""
        del partitions
        pipelines, tasks = self._pipelines, list(self._tasks.values())
        self._pipelines, self._tasks, self._assigned = {}, {}, None
        if tasks:
            await _end(tasks)
            # What was handed to the client is found by the next reader of the scores' tail.
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow a cancellation.
                async with asyncio.timeout(_FLUSH_LIMIT_S):
                    await self._around.delivery.flush()
            await self._commit(pipelines)
        self._committed, self._starts, self._lag = {}, {}, None

    async def drain(self, limit_s: float) -> None:
        """Read no more, publish what is in flight within a limit, commit.

        Parameters
        ----------
        limit_s
            Longest wait for windows in flight; the rest is joined again by the next life.
        """
        self._reading = False
        for pipeline in self._pipelines.values():
            pipeline.stop_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._around.in_flight.until_empty()
        await self._commit(self._pipelines)
        _log.info("drained", windows_left=self._around.in_flight.count)

    def readiness(self) -> str | None:
        """Return one line if a dependency is missing."""
        if self._assigned is None:
            return "expected partitions from Kafka, none are assigned yet"
        return self._around.judge.outage

    def _begin(self, number: int) -> None:
        if self._group is None:
            raise OutOfSequence("expected an assignment after the engine ran, got one before")
        if number not in self._pipelines:
            pipeline = self._pipelines[number] = PartitionPipeline(number, self._around)
            self._tasks[number] = self._group.create_task(pipeline.run())

    async def _commit(self, pipelines: Mapping[int, PartitionPipeline]) -> None:
        # One at a time: a commit that outlived its assignment would move the next one's start.
        async with self._committing:
            await self._commit_offsets(pipelines)

    async def _commit_offsets(self, pipelines: Mapping[int, PartitionPipeline]) -> None:
        offsets = {
            part: offset
            for pipeline in pipelines.values()
            for part, offset in pipeline.acknowledgeable().items()
            if offset > self._committed.get(part, 0)
        }
        if not offsets:
            return
        try:
            await self._around.inputs.commit(offsets)
        except TransientError as error:
            # Offsets ascend, so the next commit says it all.
            _log.info("commit_postponed", error=str(error))
        else:
            self._committed |= offsets

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_INTERVAL_S)
            await self._commit(self._pipelines)

    async def _measure_lag_regularly(self) -> None:
        around = self._around
        while True:
            await asyncio.sleep(_LAG_INTERVAL_S)
            parts = sorted(self._assigned or ())
            if not self._starts.keys() >= set(parts):
                starts = await start_offsets(around.inputs, around.input_range, parts)
                self._starts = {part: start.offset for part, start in starts.items()}
            try:
                ends = await around.input_range.end_offsets(parts)
            except TransientError:
                self._lag = None
            else:
                self._lag = self._unread(ends)
                self._compare(ends)

    def _compare(self, ends: Mapping[TopicPartition, int]) -> None:
        for pipeline in self._pipelines.values():
            if pipeline.parts <= ends.keys():
                pipeline.compare(ends)

    def _unread(self, ends: Mapping[TopicPartition, int]) -> int:
        handed_on = dict(self._starts)
        for pipeline in self._pipelines.values():
            handed_on |= pipeline.handed_on()
        return sum(max(end - handed_on.get(part, end), 0) for part, end in ends.items())

    async def _beat_regularly(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_INTERVAL_S)
            marks = self._watermarks()
            offsets = [pipeline.handed_on() for pipeline in self._pipelines.values()]
            self.progress.beat((offsets, marks), self._lag)
            self._observe(marks)

    def _watermarks(self) -> dict[str, int]:
        marks: dict[str, int] = {}
        for pipeline in self._pipelines.values():
            marks |= pipeline.watermarks()
        return marks

    def _skews_s(self) -> dict[str, float]:
        skews_s: dict[str, float] = {}
        for pipeline in self._pipelines.values():
            skews_s |= pipeline.skews_s()
        return skews_s

    def _observe(self, marks: Mapping[str, int]) -> None:
        metrics, now_ns = self._around.metrics, self._around.clock.now_ns()
        self._lags.show({name: (now_ns - mark_ns) / NS_PER_S for name, mark_ns in marks.items()})
        self._skews.show(self._skews_s())
        held = sum(pipeline.size_bytes for pipeline in self._pipelines.values())
        metrics.buffer_bytes.labels(SERVICE).set(held + self._around.in_flight.size_bytes)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended.

    Again and again: a library may swallow a cancellation, as aiokafka's consumer does while it
    stops, and the task would go on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
