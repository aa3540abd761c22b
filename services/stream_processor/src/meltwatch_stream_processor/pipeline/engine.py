"""All assigned partitions of one process: who works, what is committed, what moves."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from meltwatch_chassis.commit_age import CommitAge
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_chassis.tasks import cancel
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.scoring.back_off import back_off
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.window import NS_PER_S

from meltwatch_stream_processor.errors import RecordFailedError
from meltwatch_stream_processor.pipeline.delivery import SERVICE
from meltwatch_stream_processor.pipeline.input_topics import listed
from meltwatch_stream_processor.pipeline.kafka_answers import offsets_of
from meltwatch_stream_processor.pipeline.partition import PartitionPipeline
from meltwatch_stream_processor.pipeline.progress import Mark, Progress
from meltwatch_stream_processor.pipeline.publication import hold_back
from meltwatch_stream_processor.pipeline.shared import SharedParts
from meltwatch_stream_processor.pipeline.start_offsets import start_offsets
from meltwatch_stream_processor.ports import Committed, TopicPartition

_BEAT_INTERVAL_S: Final = 1.0
_COMMIT_INTERVAL_S: Final = 1.0
_ENDS_INTERVAL_S: Final = 1.0
_TOPICS_INTERVAL_S: Final = 2.0
# A group that cannot be put right must not be kept from work by trying.
_FIRST_REJOIN_S: Final = 10.0
_LONGEST_REJOIN_S: Final = 300.0
# Within a rebalance the group waits for us; a session may time out after 6 s.
_FLUSH_LIMIT_S: Final = 2.0
_CANCEL_AGAIN_S: Final = 1.0
"""Of a partition's work: it has nothing to close, and a rebalance waits for it."""
_log = structlog.get_logger()


class Engine:
    """Runs a ``PartitionPipeline`` for each assigned partition number.

    Parameters
    ----------
    shared
        What the partitions share.
    """

    def __init__(self, shared: SharedParts) -> None:
        self._shared = shared
        self._pipelines: dict[int, PartitionPipeline] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._defect: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._assigned: frozenset[TopicPartition] | None = None
        self._committing = asyncio.Lock()
        self._committed: dict[TopicPartition, int] = {}
        self._starts: dict[TopicPartition, int] = {}
        self._reading = True
        self._lag: dict[int, int] = {}
        # While the topics are none that can be joined nothing is read.
        self._suspended = False
        self._changing = asyncio.Lock()
        self._rejoin_ns = 0
        self._rejoin_pauses_s = back_off(_FIRST_REJOIN_S, _LONGEST_REJOIN_S)
        self._commit_age = CommitAge(shared.metrics.commit_age, SERVICE, shared.clock)
        self._lags = FurnaceGauge(shared.metrics.watermark_lag)
        self._skews = FurnaceGauge(shared.metrics.sync_skew)
        self._behind = FurnaceGauge(shared.metrics.modality_behind)
        self.progress = Progress(shared.clock)

    async def run_partitions(self) -> None:
        """Work until cancelled.

        Raises
        ------
        ExceptionGroup
            Of ``FatalError`` if going on would break the contract.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._shared.judge.watch())
            group.create_task(self._shared.portraits.follow())
            group.create_task(self._commit_regularly())
            group.create_task(self._ask_for_ends_regularly())
            group.create_task(self._look_at_topics_regularly())
            group.create_task(self._beat_regularly())
            await self._defect

    def receive(self, raw: RawRecord) -> None:
        """Take a record as read; one of no assignment, or while draining, is read again later."""
        pipeline = self._pipelines.get(raw.partition)
        if pipeline is None or not self._reading:
            return
        try:
            pipeline.receive(raw)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this process, not Faust's
            if not self._defect.done():
                self._defect.set_exception(FatalError(f"defect: {error!r}"))

    async def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Take a new assignment; every partition of it is read from its committed offset."""
        async with self._changing:
            self._assigned = frozenset(partitions)
            for part in self._assigned:
                # A pause that was on its way during the rebalance may have hit the new assignment.
                self._shared.inputs.resume(part)
            self._suspended = self._shared.input_topics.problem is not None
            numbers = [] if self._suspended else self._whole_numbers()
            for number in numbers:
                # Before its first record, to ask where reading starts during the first fetch.
                self._begin(number)
            _log.info("partitions_assigned", partitions=numbers)

    async def revoked(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Drop the state of all partitions: those that stay with us are read again, too."""
        del partitions
        async with self._changing:
            self._assigned = None
            await self._end_work()

    async def _end_work(self) -> None:
        pipelines, tasks = self._pipelines, list(self._tasks.values())
        self._pipelines, self._tasks = {}, {}
        if tasks:
            await cancel(tasks, again_s=_CANCEL_AGAIN_S)
            await self._flush()
            await self._commit(pipelines)
        self._shared.gate.clear()
        self._shared.counts.clear()
        self._shared.input_topics.forget()
        self._committed, self._starts, self._lag = {}, {}, {}
        self._commit_age.note_committed()

    def _whole_numbers(self) -> list[int]:
        """Return the partition numbers that were assigned of both topics: one alone is no join."""
        topics = self._shared.context.topics.inputs.values()
        assigned = self._assigned or frozenset()
        each = ({part.partition for part in assigned if part.topic == name} for name in topics)
        return sorted(set.intersection(*each))

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
                await self._shared.in_flight.until_empty()
        await self._commit(self._pipelines)
        _log.info("drained", windows_left=self._shared.in_flight.count)

    def readiness(self) -> str | None:
        """Return one line if a dependency is missing; who is to spare misses nothing."""
        topics = self._shared.input_topics
        if topics.problem is not None:
            return topics.problem
        if self._assigned is None or self._suspended:
            return "expected partitions from Kafka, none are assigned yet"
        if not self._assigned and topics.unowned is None:
            return "expected partitions from Kafka, got none; not known yet who has them"
        if topics.replaced:
            return f"expected the topics that are read, {', '.join(topics.replaced)} was made again"
        if topics.unowned:
            return f"expected a reader of each partition, nobody has {listed(topics.unowned)}"
        return self._shared.judge.outage

    def _begin(self, number: int) -> None:
        if self._group is None:
            raise OutOfSequence("expected an assignment after the engine ran, got one before")
        if number not in self._pipelines:
            pipeline = self._pipelines[number] = PartitionPipeline(number, self._shared)
            self._tasks[number] = self._group.create_task(self._work(number, pipeline))

    async def _work(self, number: int, pipeline: PartitionPipeline) -> None:
        """Run a partition; after a record that could not be handled it begins anew.

        All that it holds is a function of what Kafka holds, so nothing is lost by that.
        """
        while True:
            try:
                await pipeline.run_partition()
            except ExceptionGroup as group:
                failures, others = group.split(RecordFailedError)
                if failures is None or others is not None:
                    raise
                for failure in failures.exceptions:
                    if isinstance(failure, RecordFailedError):
                        self._shared.suspects.failed(failure)
            else:
                return
            await self._flush()
            for part in pipeline.parts:
                self._shared.inputs.resume(part)
            pipeline = self._pipelines[number] = PartitionPipeline(number, self._shared)

    async def _flush(self) -> None:
        """Wait for what was handed to the client: the next reader of the scores' tail finds it."""
        with suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it may swallow a cancellation.
            async with asyncio.timeout(_FLUSH_LIMIT_S):
                await self._shared.delivery.flush()

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
        topic_ids = {t: i for pipeline in pipelines.values() for t, i in pipeline.topic_ids.items()}
        if not offsets:
            self._commit_age.note_committed()
            return
        self._commit_age.note_waiting()
        try:
            await self._shared.inputs.commit(
                {
                    part: Committed(offset, topic_id=topic_ids.get(part.topic))
                    for part, offset in offsets.items()
                }
            )
        except TransientError as error:
            # Offsets ascend, so the next commit says it all.
            _log.info("commit_postponed", error=str(error))
        else:
            self._committed |= offsets
            self._commit_age.note_committed()

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_INTERVAL_S)
            await self._commit(self._pipelines)

    async def _ask_for_ends_regularly(self) -> None:
        """Find out how far the input goes: what is unread, and what is not to be waited for."""
        shared = self._shared
        while True:
            await asyncio.sleep(_ENDS_INTERVAL_S)
            parts = sorted(self._assigned or ())
            # After an assignment: lag counts from where reading starts, not from 0.
            if not self._starts.keys() >= set(parts):
                starts = await start_offsets(
                    shared.inputs,
                    shared.input_range,
                    await shared.input_topics.ids(),
                    parts,
                    shared.retry,
                )
                self._starts = {part: start.offset for part, start in starts.items()}
            asked_ns = shared.reader_clock.now_ns()
            try:
                ends = await offsets_of(shared.input_range.end_offsets, parts)
            except TransientError:
                self._lag = {}
            else:
                shared.reader_clock.note_answer()
                self._lag = self._unread(ends)
                self._tell(asked_ns, ends)

    def _tell(self, asked_ns: int, ends: Mapping[TopicPartition, int]) -> None:
        for pipeline in self._pipelines.values():
            if pipeline.parts <= ends.keys():
                pipeline.told(asked_ns, ends)
        hold_back(self._pipelines.values(), self._shared.max_held_bytes)

    def _unread(self, ends: Mapping[TopicPartition, int]) -> dict[int, int]:
        """Return per partition number what Kafka has of both topics and nobody handed on."""
        handed_on = dict(self._starts)
        for pipeline in self._pipelines.values():
            handed_on |= pipeline.handed_on()
        unread: dict[int, int] = {}
        for part, end in ends.items():
            missing = max(end - handed_on.get(part, end), 0)
            unread[part.partition] = unread.get(part.partition, 0) + missing
        return unread

    async def _look_at_topics_regularly(self) -> None:
        """Topics may be deleted, made again, or grow; a group may leave partitions to nobody."""
        while True:
            await self._shared.input_topics.look()
            await self._heed_topics()
            await asyncio.sleep(_TOPICS_INTERVAL_S)

    async def _heed_topics(self) -> None:
        topics = self._shared.input_topics
        if topics.problem is not None:
            await self._suspend(topics.problem)
            return
        why = topics.must_rejoin()
        if self._suspended and self._assigned is not None:
            why = why or "the topics can be joined again"
        if why is None:
            self._rejoin_pauses_s = back_off(_FIRST_REJOIN_S, _LONGEST_REJOIN_S)
        elif self._shared.clock.monotonic_ns() >= self._rejoin_ns:
            self._rejoin(why)

    async def _suspend(self, problem: str) -> None:
        """Read nothing until the topics can be joined: what is there is kept by Kafka."""
        if self._suspended:
            return
        async with self._changing:
            self._suspended = True
            _log.error("topics_unfit", error=problem)
            await self._end_work()

    def _rejoin(self, why: str) -> None:
        pause_ns = round(next(self._rejoin_pauses_s) * NS_PER_S)
        self._rejoin_ns = self._shared.clock.monotonic_ns() + pause_ns
        try:
            self._shared.inputs.rejoin()
        except TransientError:
            return  # it has not started yet
        _log.warning("rejoining", reason=why)

    async def _beat_regularly(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_INTERVAL_S)
            self.progress.beat(self._marks())
            self._observe(self._watermarks())

    def _marks(self) -> dict[int, Mark]:
        """Return where each partition stands; none could move while a dependency is away."""
        is_away = self._shared.dependencies.problem() or self._shared.judge.outage
        return {
            number: Mark(
                (pipeline.handed_on(), dict(pipeline.watermarks())),
                None if is_away else self._lag.get(number),
            )
            for number, pipeline in self._pipelines.items()
        }

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

    def _behind_s(self) -> dict[tuple[str, ...], float]:
        return {
            (name, modality.value): behind_ns / NS_PER_S
            for pipeline in self._pipelines.values()
            for (name, modality), behind_ns in pipeline.behind_ns().items()
        }

    def _observe(self, marks: Mapping[str, int]) -> None:
        metrics, now_ns = self._shared.metrics, self._shared.clock.now_ns()
        self._lags.show(
            {name: max(now_ns - mark_ns, 0) / NS_PER_S for name, mark_ns in marks.items()}
        )
        self._skews.show(self._skews_s())
        self._behind.show(self._behind_s())
        held = sum(pipeline.size_bytes for pipeline in self._pipelines.values())
        metrics.buffer_bytes.labels(SERVICE).set(held + self._shared.in_flight.size_bytes)
