"""The gateway at work: one task listens, one a channel tells, one writes receipts.

The state machines run on the event loop alone. A channel that is slow keeps its own task waiting.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, PipelineLink
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.tasks import first_of
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.text import escaped

from meltwatch_notify_gateway.domain.call import Notice
from meltwatch_notify_gateway.domain.notice_text import message_of
from meltwatch_notify_gateway.domain.switchboard import Switchboard
from meltwatch_notify_gateway.ports import DeliveryFailed, Sender
from meltwatch_notify_gateway.vitals import GatewayVitals

ADAPTER: Final = "notify_gateway"
RECALLED: Final = timedelta(hours=25)
"""A little more than the longest time between reminders: who was told before is due anyway."""
ReadTold = Callable[[datetime], Awaitable[Mapping[str, Mapping[str, datetime]]]]
_LOOK_S: Final = 0.2
_BEAT_S: Final = 1.0
_PAUSE_S: Final = 1.0
_MOST_RECEIPTS: Final = 10_000
_SILENT: Final = "no sign of life of the alarm manager for 15 s"
_log = structlog.get_logger()


def adapter_of(channel: str) -> str:
    """Return the name that a channel's receipts give."""
    return f"{ADAPTER}/{channel}"


class Receipts:
    """Writes receipts in their order, also when Kafka was away; far too many are lost, and counted.

    Parameters
    ----------
    feed
        Writes them.
    metrics
        Counts what is lost.
    """

    def __init__(self, feed: AlarmFeed, metrics: Metrics) -> None:
        self._feed = feed
        self._lost = metrics.receipts_lost
        self._waiting: deque[AlarmReceipt] = deque()

    def note(self, channel: str, notice: Notice, now: datetime, problem: str | None) -> None:
        """Note what has become of each call of a notice."""
        for call in notice.calls:
            if len(self._waiting) >= _MOST_RECEIPTS:
                self._lost.inc()
                continue
            self._waiting.append(
                AlarmReceipt(
                    alarm_id=call.alarm_id,
                    event_id=call.token,
                    adapter=adapter_of(channel),
                    delivered_at=now,
                    status="delivered" if problem is None else "failed",
                    detail=escaped(problem or f"told with {len(notice.calls) - 1} others"),
                )
            )

    async def keep_writing(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.write_waiting()

    async def write_waiting(self) -> None:
        """Write what waits, as far as Kafka takes it."""
        while self._waiting:
            try:
                await self._feed.note_delivery(self._waiting[0])
            except TransientError:
                await asyncio.sleep(_PAUSE_S)
                return
            except FatalError as error:
                self._lost.inc()
                _log.warning("receipt_lost", error=escaped(str(error)))
            self._waiting.popleft()


class Gateway:
    """Listens to alarms and tells people.

    Parameters
    ----------
    feed
        The alarms.
    board
        Who is to be told what.
    senders
        By channel.
    read_told
        What receipts since a time say was told.
    clock
        Wall clock.
    vitals, metrics
        Told what happens.
    """

    def __init__(
        self,
        feed: AlarmFeed,
        board: Switchboard,
        senders: Mapping[str, Sender],
        read_told: ReadTold,
        clock: Clock,
        vitals: tuple[GatewayVitals, Metrics],
    ) -> None:
        self._feed = feed
        self._board = board
        self._senders = senders
        self._read_told = read_told
        self._clock = clock
        self._vitals, self._metrics = vitals
        self._receipts = Receipts(feed, self._metrics)
        self._has_begun = False

    async def run_until(self, stop: asyncio.Event) -> None:
        """Work until told to stop, or something fails for good."""
        works = [self._tell(name) for name in self._senders]
        await first_of(
            stop.wait(), self._listen(), self._beat(), self._receipts.keep_writing(), *works
        )
        await self._receipts.write_waiting()

    def _now(self) -> datetime:
        return utc_from_ns(self._clock.now_ns())

    async def _beat(self) -> None:
        while True:
            self._vitals.beat()
            for name, pager in self._board.pagers.items():
                self._metrics.calls_open.labels(name).set(pager.open_calls)
                self._metrics.channel_up.labels(name).set(not pager.is_lost)
            self._note_mute()
            await asyncio.sleep(_BEAT_S)

    def _note_mute(self) -> None:
        """Give no sign of life while nobody can be told: then the alarm manager tells of it."""
        is_mute = all(pager.is_lost for pager in self._board.pagers.values())
        if is_mute is not self._feed.is_mute:
            _log.error("nobody_can_be_told") if is_mute else _log.info("people_can_be_told_again")
        self._feed.is_mute = is_mute
        self._metrics.notify_mute.set(is_mute)

    async def _listen(self) -> None:
        was_down = False
        async for news in self._feed.follow():
            is_down = news.link is PipelineLink.DOWN
            if is_down is not was_down:
                _log.warning("alarm_manager_silent") if is_down else _log.info("alarms_heard_again")
            was_down = is_down
            self._board.note_link(self._now(), is_down=is_down)
            if self._has_begun:
                self._board.hear(news.turns, self._now())
            elif self._feed.has_caught_up:
                await self._begin()
            self._vitals.note_look()
            self._vitals.note_silence(self._silence(is_down=is_down))

    def _silence(self, *, is_down: bool) -> str | None:
        if is_down:
            return _SILENT
        return None if self._has_begun else "has not yet read the alarms"

    async def _begin(self) -> None:
        """Take the alarms as they stand: what came and went before this process is history."""
        try:
            told = await self._read_told(self._now() - RECALLED)
        except TransientError as error:
            _log.warning("receipts_not_read", error=escaped(str(error)))
            return
        for name, pager in self._board.pagers.items():
            pager.recall(told.get(adapter_of(name), {}))
        alarms = self._feed.board.alarms
        self._board.hear((AlarmTurn(id_, None, alarms[id_]) for id_ in alarms), self._now())
        self._has_begun = True
        _log.info("alarms_read", alarms=len(alarms), channels=len(self._senders))

    async def _tell(self, name: str) -> None:
        pager = self._board.pagers[name]
        while True:
            notice = pager.next_notice(self._now())
            if notice is None:
                await asyncio.sleep(_LOOK_S)
                continue
            problem = await self._delivered(name, notice, pager.plan.longest)
            now = self._now()
            self._board.settle(name, notice, now, problem)
            self._receipts.note(name, notice, now, problem)
            self._vitals.note_channel(name, problem if pager.is_lost else None)
            self._metrics.notifications.labels(name, "failed" if problem else "delivered").inc()

    async def _delivered(self, name: str, notice: Notice, longest: int) -> str | None:
        """Deliver a notice; return why not, if so."""
        message = message_of(notice, self._now(), longest)
        told = {"channel": name, "calls": len(notice.calls), "first": notice.calls[0].alarm_id}
        try:
            await self._senders[name].deliver(message)
        except DeliveryFailed as error:
            _log.warning("notification_failed", **told, error=str(error))
            return str(error)
        _log.info("notification_delivered", **told)
        return None
