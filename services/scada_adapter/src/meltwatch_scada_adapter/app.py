"""The adapter's loop: what Kafka tells is shown to clients, what people call is told to Kafka."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, AlarmNews, PipelineLink
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.alarm_command import AlarmCommand, Command
from meltwatch_schemas.alarm_list import is_annunciation, token_of
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S

from meltwatch_scada_adapter.domain.condition import (
    ScadaCondition,
    acknowledged,
    pipeline_down,
)
from meltwatch_scada_adapter.domain.orders import Order, OrderOutcome, outcome_of
from meltwatch_scada_adapter.domain.plant import PlantConditions
from meltwatch_scada_adapter.ports import ScadaFace

_WATCHDOG_NS: Final = 5 * NS_PER_S
_MOST_WAITING: Final = 1_000
_BEAT_S: Final = 1.0
_LONGEST: Final = 1_000
_log = structlog.get_logger()


@dataclass(slots=True)
class Watchdog:
    """A counter that clients see move: the process lives."""

    clock: Clock
    count: int = 0
    _next_ns: int = 0

    def is_due(self) -> bool:
        """Tell, every 5 s, that it has moved on."""
        now_ns = self.clock.monotonic_ns()
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + _WATCHDOG_NS
        self.count = (self.count + 1) % 2**32
        return True


@dataclass(slots=True)
class ScadaAdapter:
    """Shows alarms and carries out orders.

    Attributes
    ----------
    adapter
        What commands and receipts name: ``via`` and ``adapter``.
    told
        What its receipts say of a delivery.
    feed
        Kafka.
    face
        What clients see.
    conditions
        Which there are.
    roles
        Who may do what; without it everybody is a viewer.
    prefix
        Topic prefix: names the plant as a whole.
    clock
        Wall clock and the watchdog's.
    patience_s
        How long an order waits for its result.
    start
        Lets clients in, once the list is known.
    vitals
        Told that it works.
    metrics
        Of the process.
    """

    adapter: str
    told: str
    feed: AlarmFeed
    face: ScadaFace
    conditions: PlantConditions
    roles: Roles | None
    prefix: str
    clock: Clock
    patience_s: float
    start: Callable[[], Awaitable[None]]
    vitals: LoopVitals
    metrics: Metrics
    _link: PipelineLink = PipelineLink.STARTING
    _own: ScadaCondition | None = None
    _watchdog: Watchdog = field(init=False)
    _receipts: asyncio.Queue[AlarmReceipt] = field(init=False)
    _backlog: dict[str, AlarmTurn] = field(default_factory=dict)
    _undelivered: dict[str, str] = field(default_factory=dict)
    _is_serving: bool = False

    def __post_init__(self) -> None:
        self._watchdog = Watchdog(self.clock)
        self._receipts = asyncio.Queue(_MOST_WAITING)
        self.feed.note_refused = self._count_refused

    async def show_alarms(self) -> None:
        """Show what comes; never ends by itself."""
        self._own = pipeline_down(
            self.prefix, is_down=False, now=self._now(), reason="alarms are up to date"
        )
        for condition in (*self.conditions.known(), self._own):
            await self.face.prepare([condition])
            self.vitals.note_look()  # thousands take minutes
        async with aclosing(self.feed.follow()) as news:
            async for each in news:
                await self._take(each)
                self.vitals.note_look()

    async def beat(self) -> None:
        """Note every second that the process runs."""
        while True:
            self.vitals.beat()
            await asyncio.sleep(_BEAT_S)

    async def write_receipts(self) -> None:
        """Write what was delivered; one that Kafka does not take is given up, and said."""
        while True:
            receipt = await self._receipts.get()
            try:
                await self.feed.note_delivery(receipt)
            except (TransientError, FatalError) as error:
                _log.warning("receipt_lost", alarm_id=receipt.alarm_id, error=escaped(str(error)))

    async def carry_out(self, alarm_id: str, order: Order, user: str) -> OrderOutcome:
        """Send a person's order to the alarm manager and return what became of it."""
        outcome = await self._carry_out(alarm_id, order, user)
        self.metrics.scada_orders.labels(self.adapter, order.command.value, outcome.value).inc()
        return outcome

    async def _carry_out(self, alarm_id: str, order: Order, user: str) -> OrderOutcome:
        if self._own is not None and alarm_id == self._own.alarm_id:
            return await self._acknowledge_own(order, user)
        record = self.feed.board.alarms.get(alarm_id)
        event_id = order.event_id
        if order.command is Command.RESET and record is not None:
            event_id = token_of(record)
        command = AlarmCommand.model_validate(
            {
                "command_id": str(uuid4()),
                "alarm_id": alarm_id,
                "command": order.command.value,
                "expected_event_id": event_id,
                "user": user,
                "role": self._role_of(user, alarm_id),
                "comment": order.comment,
                "arguments": dict(order.arguments),
                "issued_at": self._now(),
            }
        )
        try:
            result = await self.feed.ask(command, self.patience_s)
        except (TransientError, FatalError) as error:
            _log.warning("order_not_sent", alarm_id=alarm_id, error=escaped(str(error)))
            return OrderOutcome.AWAY
        outcome = outcome_of(order.command, result)
        _log.info(
            "order_answered", alarm_id=alarm_id, command=order.command, user=user, outcome=outcome,
            detail=None if result is None else escaped(result.detail),
        )  # fmt: skip
        return outcome

    async def _take(self, news: AlarmNews) -> None:
        await self.face.prepare(self.conditions.take_points(news.points, self.feed.points.points))
        for turn in news.turns:
            if news.is_history:
                self._backlog[turn.alarm_id] = turn
            else:
                await self._show(turn)
        if self._undelivered:
            self._note_belated()
        await self._note_link(news)
        await self._serve_once_known(news)
        if news.has_gap and self._is_serving:
            await self.face.ask_to_refresh()
        if self._watchdog.is_due():
            await self._count()

    def _count_refused(self, raw: RawRecord, _error: ContractViolation) -> None:
        self.metrics.records.labels("scada_adapter", raw.topic, "refused").inc()

    async def _serve_once_known(self, news: AlarmNews) -> None:
        """Show the list as the topic has it, then let clients in; or in time, to say it is away."""
        if self._backlog and self.feed.has_caught_up:
            for turn in self._backlog.values():
                await self._show(turn)
            self._backlog.clear()
        if not self._is_serving and news.link is not PipelineLink.STARTING:
            self._is_serving = True
            await self._count()
            await self.start()

    async def _show(self, turn: AlarmTurn) -> None:
        if turn.after is None:
            self.conditions.forget(turn.alarm_id)
            await self.face.forget(turn.alarm_id)
            return
        await self.face.show(self.conditions.take(turn.after))
        if self._is_serving and is_annunciation(turn.after):
            self._note_delivery(turn.alarm_id, turn.after.event_id)

    def _note_belated(self) -> None:
        """Note what could not be delivered when it came and has been now, if it still stands."""
        if self.face.problem is not None:
            return
        for alarm_id, event_id in self._undelivered.items():
            record = self.feed.board.alarms.get(alarm_id)
            if record is not None and token_of(record) == event_id:
                self._note_delivery(alarm_id, event_id)
        self._undelivered.clear()

    def _note_delivery(self, alarm_id: str, event_id: str) -> None:
        problem = self.face.problem
        if problem is not None:
            self._undelivered[alarm_id] = event_id
        receipt = AlarmReceipt(
            alarm_id=alarm_id, event_id=event_id, adapter=self.adapter, delivered_at=self._now(),
            status="delivered" if problem is None else "failed",
            detail=(self.told if problem is None else problem)[:_LONGEST],
        )  # fmt: skip
        if self._receipts.full():
            _log.warning("receipt_lost", alarm_id=alarm_id, error="too many wait for Kafka")
            return
        self._receipts.put_nowait(receipt)

    async def _note_link(self, news: AlarmNews) -> None:
        if news.link is self._link:
            return
        was_down, self._link = self._link is PipelineLink.DOWN, news.link
        await self.face.trust(is_live=news.link is PipelineLink.LIVE)
        is_down = news.link is PipelineLink.DOWN
        if is_down or was_down:
            problem = self.feed.problem or "no heartbeat of the alarm manager"
            reason = escaped(problem)[:_LONGEST] if is_down else "alarms are up to date"
            self._own = pipeline_down(self.prefix, is_down=is_down, now=self._now(), reason=reason)
            await self.face.show(self._own)
            _log.warning("pipeline", link=news.link, reason=reason)
        if was_down and self._is_serving:
            await self.face.ask_to_refresh()
        await self._count()

    async def _acknowledge_own(self, order: Order, user: str) -> OrderOutcome:
        """Acknowledge the adapter's own condition: the manager does not know it."""
        own = self._own
        if own is None or order.command is not Command.ACK:
            return OrderOutcome.UNSUPPORTED
        if self._role_of(user, own.alarm_id) == "viewer":
            return OrderOutcome.DENIED
        if order.event_id != own.event_id.hex():
            return OrderOutcome.ALREADY_ACKED if own.acked else OrderOutcome.UNKNOWN_EVENT
        if not own.acked:
            self._own = acknowledged(own, user, order.comment or "", self._now())
            await self.face.show(self._own)
        return OrderOutcome.GOOD

    def _role_of(self, user: str, alarm_id: str) -> str:
        return "viewer" if self.roles is None else self.roles.granted(user, alarm_id).value

    async def _count(self) -> None:
        await self.face.count(self._link.value, self._watchdog.count)

    def _now(self) -> datetime:
        return utc_from_ns(self.clock.now_ns())
