"""What adapters hear and say: alarms, alarm points, heartbeats; commands, results, receipts.

An adapter speaks for people and for other systems. It keeps no state of its own: whenever it
starts it reads the topics from their beginning, and after an outage it goes on where it was. Where
the topics do not have all that happened meanwhile, it begins at their beginning again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog
from meltwatch_schemas.access import Right
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.alarm_board import (
    STALE_AFTER_S,
    AlarmBoard,
    AlarmTurn,
    HeldAlarms,
    PointBoard,
    Pulse,
)
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for, read_json
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import ConfigurationError, FatalError, TransientError
from meltwatch_chassis.kafka.access import require_access
from meltwatch_chassis.kafka.async_admin import Part, require_topics
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.topic_watch import TopicWatch, replaced_topics
from meltwatch_chassis.tasks import cancel

INPUTS: Final = (Topic.ALARMS, Topic.ALARM_POINTS, Topic.HEARTBEATS, Topic.ALARM_RESULTS)
_POLL_S: Final = 0.2
_MOST: Final = 500
_PAUSE_S: Final = 1.0
_WHOLE_S: Final = 7 * 24 * 3600.0
"""For so long the alarms topic has every change; then the newest of each alarm alone."""
_BEAT_S: Final = 5.0
_TOLD_S: Final = STALE_AFTER_S - 1.0
"""A second less: who listens is to know of silence within the 15 s that the contract gives."""
_log = structlog.get_logger()
NoteRefused = Callable[[RawRecord, ContractViolation], None]


class PipelineLink(StrEnum):
    """How far the alarms that are known may be trusted."""

    STARTING = "starting"
    LIVE = "live"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class AlarmNews:
    """What one look at the topics has brought, possibly nothing.

    Attributes
    ----------
    turns
        Changes of alarms, in the order of the topic.
    points
        Alarm ids whose alarm point has changed.
    link
        What is known of the alarm manager.
    is_history
        These stood in the topics before the process started.
    has_gap
        Reading was interrupted before: it goes on where it was, so nothing is missing.
    is_thinned
        Something may be missing all the same: the topics were made again, or it was interrupted
        for longer than they keep every change. What stands in them is read again.
    """

    turns: Sequence[AlarmTurn] = ()
    points: Sequence[str] = ()
    link: PipelineLink = PipelineLink.STARTING
    is_history: bool = False
    has_gap: bool = False
    is_thinned: bool = False


class AlarmFeed:
    """The alarms of a prefix as an adapter sees them, and its mouth.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        Topic prefix.
    rights
        What the adapter must be allowed to do.
    adapter
        Name that commands and receipts give: which adapter speaks.
    clock
        Silence is told by its monotonic time.

    Attributes
    ----------
    board, points, pulse
        What is known; whoever reads it must not change it.
    note_refused
        Told of each record that was left out: it is none of its topic.
    has_caught_up
        What stood in the topics at the start is known.
    problem
        Why the topics cannot be read at present; None while they can.
    is_mute
        Set by an adapter that can tell nobody: then it gives no sign of life.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        prefix: str,
        rights: Sequence[Right],
        adapter: str,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._rights = rights
        self._adapter = adapter
        self._clock = clock
        self._publisher: AsyncKafkaPublisher | None = None
        self._waiting: dict[str, asyncio.Future[CommandResult]] = {}
        self._positions: dict[Part, int] = {}
        self._ends: dict[Part, int] | None = None
        self._ids: Mapping[str, str] = {}
        self._heard_s: float | None = None
        self._held = HeldAlarms()
        self._is_thinned = False
        self._looked_s = 0.0
        self._beats = 0
        self._began_s = clock.now_ns() // NS_PER_S
        self.is_mute = False
        self.has_caught_up = False
        self.board = AlarmBoard()
        self.points = PointBoard()
        self.pulse = Pulse(self._now_s())
        self.note_refused: NoteRefused = lambda _raw, _error: None
        self.problem: str | None = "not yet connected to Kafka"

    @property
    def link(self) -> PipelineLink:
        """What is known of the alarm manager now."""
        if self.pulse.silent_s(self._now_s()) >= _TOLD_S:
            return PipelineLink.DOWN
        is_live = self.has_caught_up and self.pulse.newest is not None
        return PipelineLink.LIVE if is_live else PipelineLink.STARTING

    async def follow(self) -> AsyncGenerator[AlarmNews, None]:
        """Yield what comes, some times a second also if it is nothing; never ends by itself.

        First comes what the topics hold (``is_history``), then what is new. While Kafka is away
        there is empty news: the link of it says since when nobody was heard.

        Raises
        ------
        ConfigurationError
            If login, TLS or rights are wrong from the start.
        """
        # Before this nobody listened: what made that last is not the manager's silence.
        self.pulse = Pulse(self._now_s())
        has_read = False
        while True:
            has_gap = has_read
            try:
                async with self._connected() as (reader, watch):
                    await self._begin(reader, watch.ids)
                    while True:
                        watch.require_same()
                        news = await self._look(reader, has_gap=has_gap)
                        has_gap, has_read, self.problem = False, True, None
                        yield news
            except ConfigurationError as error:
                if not has_read:
                    raise
                self._note(str(error))
            except (TransientError, FatalError) as error:
                self._note(str(error))
            yield AlarmNews(link=self.link)
            await asyncio.sleep(_PAUSE_S)

    async def ask(self, command: AlarmCommand, within_s: float) -> CommandResult | None:
        """Send a command and return its result, or None if none has come in time.

        ``via`` is set to this adapter. A command that got no answer may still be carried out.

        Raises
        ------
        TransientError
            If Kafka does not take it now.
        FatalError
            If Kafka never will.
        """
        told = command.model_copy(update={"via": self._adapter})
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._waiting[told.command_id] = answer
        try:
            async with asyncio.timeout(within_s):
                await self._publish(Topic.ALARM_COMMANDS, told.alarm_id, told)
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[told.command_id]

    async def note_delivery(self, receipt: AlarmReceipt) -> None:
        """Write a receipt.

        Raises
        ------
        TransientError
            If Kafka does not take it now.
        FatalError
            If Kafka never will.
        """
        await self._publish(Topic.ALARM_RECEIPTS, receipt.alarm_id, receipt)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[AsyncReader, TopicWatch]]:
        names = [topic.under(self._prefix) for topic in INPUTS]
        await asyncio.to_thread(require_access, self._connection, self._rights)
        await require_topics(self._connection, names)
        async with (
            AsyncKafkaPublisher(self._connection) as publisher,
            TopicWatch.begun(self._connection, names) as watch,
            AsyncReader.connected(self._connection) as reader,
        ):
            self._publisher = publisher
            beating = asyncio.create_task(self._beat())
            try:
                yield reader, watch
            finally:
                self._publisher = None
                await cancel([beating])

    async def _beat(self) -> None:
        """Give a sign of life every 5 s, while the adapter looks at the topics and is not mute."""
        while True:
            await asyncio.sleep(_BEAT_S)
            if self.is_mute or not self.has_caught_up or self._now_s() - self._looked_s > _BEAT_S:
                continue
            self._beats += 1
            beat = Heartbeat(
                service=self._adapter,
                epoch=self._began_s,
                seq=self._beats,
                active_alarms=sum(each.active for each in self.board.alarms.values()),
                at=utc_from_ns(self._clock.now_ns()),
            )
            try:
                await self._publish(Topic.HEARTBEATS, beat.service, beat)
            except (TransientError, FatalError) as error:
                _log.debug("heartbeat_not_written", error=escaped(str(error)))

    async def _publish(self, topic: Topic, about: str, message: KeyedMessage) -> None:
        if self._publisher is None:
            raise TransientError(f"Kafka: expected a connection to write {topic}, got none yet")
        headers = tuple(headers_for(message.schema_id, JSON))
        key, value = about.encode(), message.to_json()
        name = topic.under(self._prefix)
        await self._publisher.publish(OutgoingRecord(name, key, value, headers))

    def _forget_what_is_void(self, ids: Mapping[str, str]) -> None:
        """Begin at the beginning if these are other topics, or have not kept every change."""
        replaced = replaced_topics(self._ids, ids)
        self._ids = {**self._ids, **ids}
        if not replaced and not self._was_long_away():
            return
        _log.warning("alarms_read_anew", replaced=replaced, heard_s=self._heard_s)
        self._heard_s = None
        self._held.keep(self.board, self.points)
        self.board, self.points = AlarmBoard(), PointBoard()
        self.pulse.forget()
        self._positions, self._ends = {}, None
        self.has_caught_up, self._is_thinned = False, True

    async def _begin(self, reader: AsyncReader, ids: Mapping[str, str]) -> None:
        """Read alarms and points from where we were, the others from now on.

        A heartbeat that lies in the topic says nothing of now.
        """
        self._forget_what_is_void(ids)
        whole = [(topic.under(self._prefix), 0) for topic in INPUTS[:2]]
        live = [(topic.under(self._prefix), 0) for topic in INPUTS[2:]]
        ends = await reader.ends([*whole, *live])
        if self._ends is None:
            self._ends = {part: ends[part] for part in whole}
        begins = await reader.begins(whole)
        starts = {part: max(begins[part], self._positions.get(part, 0)) for part in whole}
        reader.follow(starts | {part: ends[part] for part in live})

    async def _look(self, reader: AsyncReader, *, has_gap: bool) -> AlarmNews:
        turns: list[AlarmTurn] = []
        points: list[str] = []
        is_history = not self.has_caught_up
        records = await reader.poll(_POLL_S, _MOST)
        self._looked_s = self._now_s()
        if records:
            self._note_heard()
        for raw in records:
            try:
                self._take(raw, turns, points)
            except ContractViolation as error:
                self._refuse(raw, error)
            self._positions[raw.topic, raw.partition] = raw.offset + 1
        if is_history and self._ends is not None:
            self.has_caught_up = await reader.has_read(self._ends)
        is_live = self.link is PipelineLink.LIVE
        gone, gone_points = self._held.gone(self.points, self._now_s(), is_live=is_live)
        turns += gone
        points += gone_points
        is_thinned, self._is_thinned = self._is_thinned, False
        return AlarmNews(turns, points, self.link, is_history, has_gap, is_thinned)

    def _note_heard(self) -> None:
        """Note that something came.

        Raises
        ------
        TransientError
            If that is the first for days: a client waits for its broker as long as that takes.
        """
        if self._was_long_away():
            raise TransientError("Kafka: expected something within 7 days, got nothing until now")
        self._heard_s = self._now_s()

    def _was_long_away(self) -> bool:
        return self._heard_s is not None and self._now_s() - self._heard_s >= _WHOLE_S

    def _take(self, raw: RawRecord, turns: list[AlarmTurn], points: list[str]) -> None:
        if raw.topic == Topic.ALARMS.under(self._prefix):
            if (turn := self.board.take(raw)) is not None:
                turns += [told] if (told := self._held.seen(turn)) else []
        elif raw.topic == Topic.ALARM_POINTS.under(self._prefix):
            if (alarm_id := self.points.take(raw)) is not None:
                points.append(alarm_id)
        elif raw.topic == Topic.HEARTBEATS.under(self._prefix):
            self.pulse.take(raw, self._now_s())
        elif raw.value is not None:
            self._settle(read_json(raw, CommandResult))

    def _settle(self, result: CommandResult) -> None:
        answer = self._waiting.get(result.command_id or "")
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _refuse(self, raw: RawRecord, error: ContractViolation) -> None:
        self.note_refused(raw, error)
        where = f"{raw.topic}/{raw.partition}/{raw.offset}"
        _log.warning("record_refused", record=where, detail=escaped(error.detail))

    def _note(self, problem: str) -> None:
        if self.problem is None:
            _log.warning("alarm_feed_interrupted", error=escaped(problem))
        self.problem = problem

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S
