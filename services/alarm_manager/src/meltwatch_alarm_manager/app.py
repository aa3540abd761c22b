"""Two loops side by side: a manager that judges, a projector that shows the result in Redis.

Each starts from what the topics say, and does so again after every failure. So there is one way to
begin: after an installation, a crash or an outage of the broker.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.topic_watch import TopicsChanged, replaced_topics
from meltwatch_chassis.tasks import first_of
from meltwatch_core.alarms.caution import BATCH
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.manager.outgoing import said
from meltwatch_core.alarms.system_alarms import HISTORY_GAP
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_alarm_manager.pipeline.projection import Projection
from meltwatch_alarm_manager.pipeline.reading_proof import ReadingProof
from meltwatch_alarm_manager.ports import Election, Intake, Ledger, View, ViewFeed
from meltwatch_alarm_manager.vitals import MANAGER, PROJECTOR, ManagerVitals

HEARTBEAT_NS: Final = 5 * NS_PER_S
_POLL_S: Final = 0.2
_LOOK_S: Final = 0.5
"""So soon at the latest it is seen that the view has vanished."""
_SHORTEST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 2.0
_BEAT_S: Final = 1.0
_NOWHERE: Final = -1
_BEATS: Final = 1_000
"""So many heartbeats are read again: half an hour of them says which adapters there are."""
_log = structlog.get_logger()


class AlarmMemory:
    """The alarms as they were last written, for the case that their topic is made again."""

    def __init__(self) -> None:
        self._epoch = 0
        self._ids: Mapping[str, str] = {}
        self._records: tuple[AlarmRecord, ...] = ()

    def keep(self, pipeline: AlarmPipeline, ids: Mapping[str, str] | None = None) -> None:
        """Take the alarms as they have just been written, at the beginning with the topics' ids."""
        self._epoch, self._records = pipeline.epoch, tuple(pipeline.alarm_records())
        self._ids = self._ids if ids is None else ids

    def retell(
        self, pipeline: AlarmPipeline, ids: Mapping[str, str], now_ns: int
    ) -> list[OutgoingRecord]:
        """Return what must be written because topics were made again: alarms that are not there.

        Where they are the same, what is not there has ended. Where another manager has reigned
        since, it knows better than we do.

        Parameters
        ----------
        pipeline
            Of a reign that has just begun.
        ids
            What the topics are called now.
        now_ns
            Wall clock, ns UTC.
        """
        replaced = replaced_topics(self._ids, ids)
        if not replaced:
            return []
        # Where every topic was made again, epochs begin again, too.
        is_newest = pipeline.epoch in (self._epoch + 1, 1)
        retold = pipeline.retell(self._records, now_ns) if is_newest else []
        for name in replaced:
            _log.error("topic_replaced", topic=name, retold=len(retold))
            pipeline.report(HISTORY_GAP, f"{name}: made again, what it held unread is lost")
        return retold


@dataclass(frozen=True, slots=True)
class Manager:
    """Judges scores and commands while it is the active one.

    Attributes
    ----------
    election, ledger, intake
        How to open each; all three are opened again for each reign.
    pipeline
        How to make an empty pipeline.
    clock, vitals
        Time, and what the health page shows.
    memory
        What an alarms topic that is made again would not know.
    """

    election: Callable[[], AbstractAsyncContextManager[Election]]
    ledger: Callable[[], AbstractAsyncContextManager[Ledger]]
    intake: Callable[[], AbstractAsyncContextManager[Intake]]
    pipeline: Callable[[], AlarmPipeline]
    clock: Clock
    vitals: ManagerVitals
    memory: AlarmMemory = field(default_factory=AlarmMemory)

    async def manage_alarms(self) -> None:
        """Stand for election, and reign for as long as it is won."""
        async with self.election() as election:
            while not await election.leads():
                self.vitals.note_working(MANAGER)
            await first_of(_lost(election), self._reign())

    async def _reign(self) -> None:
        """Reign; where topics are made again, once more at once: nobody else knows as much."""
        while True:
            try:
                await self._reign_once()
            except TopicsChanged as error:
                _log.warning("reign_begins_anew", why=str(error))

    async def _reign_once(self) -> None:
        async with self.ledger() as ledger, self.intake() as intake:
            pipeline = self.pipeline()
            await self._take_over(pipeline, ledger, intake)
            with self.vitals.leading():
                async with ReadingProof(intake, self.clock) as proof:
                    await self._judge(pipeline, ledger, intake, proof)

    async def _take_over(self, pipeline: AlarmPipeline, ledger: Ledger, intake: Intake) -> None:
        """Rebuild everything from the topics; the ledger has shut out any predecessor before."""
        commits = await intake.committed()
        starts = pipeline.trust(commits)
        steps = {
            Topic.ALARM_POINTS: pipeline.restore_point,
            Topic.FURNACE_STATES: pipeline.restore_state,
            Topic.ALARMS: pipeline.restore_alarm,
            Topic.ALARM_RESULTS: pipeline.restore_result,
        }
        for topic, restore in steps.items():
            async for record in intake.whole(topic):
                restore(record)
                self.vitals.note_progress(MANAGER)
        async for record in intake.tail(Topic.HEARTBEATS, _BEATS):
            pipeline.restore_beat(record)
        judged = {place: commit.position for place, commit in commits.items() if commit}
        epoch = pipeline.begin_reign(commits, await intake.read_from(starts, judged))
        now_ns = self.clock.now_ns()
        retold = self.memory.retell(pipeline, intake.topic_ids, now_ns)
        # The first transaction of the epoch: from here on the broker refuses an older manager.
        await ledger.write([pipeline.heartbeat(now_ns), *retold], pipeline.commits)
        self.memory.keep(pipeline, intake.topic_ids)
        _log.info("reign_began", epoch=epoch)

    async def _judge(
        self, pipeline: AlarmPipeline, ledger: Ledger, intake: Intake, proof: ReadingProof
    ) -> None:
        next_heartbeat_ns = self.clock.monotonic_ns() + HEARTBEAT_NS
        written: list[OutgoingRecord] = []
        uncommitted = 0
        while True:
            records = await intake.poll(_POLL_S)
            uncommitted += len(records)
            lasts = {(record.topic, record.partition): record.offset for record in records}
            for record in records:
                # Committed before it is judged: if this record ends the process, the next one knows
                # it.
                if pipeline.name(record, lasts[record.topic, record.partition]):
                    await self._write(written, pipeline, ledger)
                    written, uncommitted = [], BATCH
                    self.vitals.note_progress(MANAGER)
                written += pipeline.handle_record(record, self.clock.now_ns())
            if proof.is_due():
                read_until_ns = await proof.read_until()
                written += pipeline.tick(self.clock.now_ns(), read_until_ns)
            if self.clock.monotonic_ns() >= next_heartbeat_ns:
                written.append(pipeline.heartbeat(self.clock.now_ns()))
                next_heartbeat_ns = self.clock.monotonic_ns() + HEARTBEAT_NS
            if records or written:
                self.vitals.commits.note_waiting()
            if written or uncommitted >= BATCH:
                await self._write(written, pipeline, ledger)
                written, uncommitted = [], 0
                self.vitals.commits.note_committed()
            self.vitals.note_working(MANAGER)

    async def _write(
        self, written: list[OutgoingRecord], pipeline: AlarmPipeline, ledger: Ledger
    ) -> None:
        await ledger.write(written, pipeline.commits)
        if any(record.topic is Topic.ALARMS for record in written):
            self.memory.keep(pipeline)


@dataclass(slots=True)
class Projector:
    """Keeps the view equal to the alarms topic.

    Attributes
    ----------
    feed, view
        How to open each; both are opened again after a failure.
    projection
        What records mean for the view.
    clock, vitals
        Time, and what the health page shows.
    """

    feed: Callable[[], AbstractAsyncContextManager[ViewFeed]]
    view: Callable[[], AbstractAsyncContextManager[View]]
    projection: Projection
    clock: Clock
    vitals: ManagerVitals
    _shown_id: str | None = None  # of the alarms topic in the view

    async def project_alarms(self) -> None:
        """Project until the view vanishes, then begin again."""
        async with self.feed() as feed, self.view() as view:
            while True:
                reached = await view.open(await self._end(feed))
                self._shown_id = feed.alarms_id or self._shown_id
                await feed.read_from(reached)
                _log.info("projection_began", offset=reached)
                await self._follow(feed, view)
                _log.warning("view_vanished")

    async def _end(self, feed: ViewFeed) -> int:
        """Return the end of the alarms topic; of one that was made again, before its beginning."""
        end, known = await feed.end(), (self._shown_id, feed.alarms_id)
        return _NOWHERE if None not in known and known[0] != known[1] else end

    async def _follow(self, feed: ViewFeed, view: View) -> None:
        """Project until the view vanishes."""
        self.vitals.note_problem(PROJECTOR, "the view is being made")
        has_caught_up = False
        while True:
            records = await feed.poll(_LOOK_S)
            changes = self.projection.changes(records, self.clock.now_ns())
            is_there = await view.apply(changes) if changes else await view.is_present()
            if not is_there:
                return
            has_caught_up = has_caught_up or await feed.has_caught_up()
            if has_caught_up:
                self.vitals.note_working(PROJECTOR)
            else:
                self.vitals.note_progress(PROJECTOR)


async def _lost(election: Election) -> None:
    while await election.leads():
        pass


async def run_until_stopped(manager: Manager, projector: Projector, stop: asyncio.Event) -> None:
    """Run manager and projector until told to stop; what fails for good ends the other one too.

    Raises
    ------
    FatalError
        If trying again is useless, and the loop has never worked.
    """
    await first_of(
        stop.wait(),
        _beat_regularly(manager.vitals),
        _persist(MANAGER, manager.manage_alarms, manager.vitals),
        _persist(PROJECTOR, projector.project_alarms, projector.vitals),
    )


async def _beat_regularly(vitals: ManagerVitals) -> None:
    while True:
        vitals.beat()
        await asyncio.sleep(_BEAT_S)


async def _persist(who: str, attempt: Callable[[], Awaitable[None]], vitals: ManagerVitals) -> None:
    """Try again whenever it ends, after failures more and more slowly; log the first of a row.

    A loop that worked once can work again: then even a ``FatalError`` does not end it.
    """
    loop = asyncio.get_running_loop()
    pause_s = _SHORTEST_PAUSE_S
    while True:
        began_s = loop.time()
        try:
            await _uncancelled(attempt)
        except Exception as error:
            if isinstance(error, FatalError) and not vitals.has_ever_worked(who):
                raise
            problem = _one_line(error)
            had_success = vitals.is_working(who)
            vitals.note_problem(who, problem)
            if had_success and loop.time() - began_s > _LONGEST_PAUSE_S:
                pause_s = _SHORTEST_PAUSE_S
            if pause_s == _SHORTEST_PAUSE_S:
                _log.warning("attempt_failed", who=who, error=problem)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _uncancelled(attempt: Callable[[], Awaitable[None]]) -> None:
    """Turn a cancellation that nobody asked for into a failure.

    aiokafka's consumer lets out that of its own fetching while it stops beside a broker that is
    away: it would end the process.
    """
    try:
        await attempt()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TransientError("a client was cancelled while it stopped") from error


def _one_line(error: Exception) -> str:
    """Return what went wrong; with its type if it was not expected."""
    is_ours = isinstance(error, TransientError | FatalError)
    return escaped(str(error)) if is_ours else f"unexpected: {said(error)}"
