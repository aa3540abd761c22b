"""The edge node on its broker: sessions, births when they are due, commands of hosts."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import structlog
from aiomqtt import Client, Message, MqttError
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.tasks import cancel, first_of, heeded
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.sparkplug import PayloadError, decode
from meltwatch_schemas.text import escaped

from meltwatch_scada_adapter.adapters.sparkplug.birth_numbers import BirthNumbers
from meltwatch_scada_adapter.adapters.sparkplug.broker import MqttBroker
from meltwatch_scada_adapter.domain.condition import ScadaCondition
from meltwatch_scada_adapter.domain.orders import OrderOutcome
from meltwatch_scada_adapter.domain.sparkplug.commands import (
    LONGEST,
    AckAnswer,
    AckAsked,
    HostState,
    acks_of,
    asks_for_births,
    host_state_of,
)
from meltwatch_scada_adapter.domain.sparkplug.edge_node import EdgeMessage, EdgeNode
from meltwatch_scada_adapter.ports import Orders

MQTT: Final = "mqtt"
"""What readiness and metrics call the broker."""
_SOURCE: Final = "probe"
"""Who says so: the session is the probe."""
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 15.0
_BETWEEN_BIRTHS_S: Final = 1.0
_MOST_ORDERS: Final = 100
_NS_PER_MS: Final = 1_000_000
_log = structlog.get_logger()


class SparkplugFace:
    """Shows conditions as metrics of an edge node and its devices.

    Parameters
    ----------
    node
        What there is to tell.
    broker
        Whom.
    numbers
        Of its sessions.
    user
        Whose name acknowledgements get; None refuses them.
    clock
        For the times of messages.
    metrics
        Of the process.

    Attributes
    ----------
    dependencies
        Whether the broker is there.
    problem
        Why no host is told at present; None while one can be.
    """

    def __init__(
        self,
        node: EdgeNode,
        broker: MqttBroker,
        numbers: BirthNumbers,
        user: str | None,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._node = node
        self._broker = broker
        self._numbers = numbers
        self._user = user
        self._clock = clock
        self._metrics = metrics
        self.dependencies = Dependencies(metrics, clock)
        self._desk: Orders | None = None
        self._client: Client | None = None
        self._host: HostState | None = None
        self._lock = asyncio.Lock()
        self._may_begin = asyncio.Event()
        self._births_wanted = asyncio.Event()
        self._broken = asyncio.Event()
        self._orders: set[asyncio.Task[None]] = set()
        self._is_full = False
        self.problem: str | None = "not yet connected"
        self.dependencies.expect(MQTT)

    async def prepare(self, conditions: Iterable[ScadaCondition]) -> None:
        """Make metrics for conditions that are not shown yet."""
        told = list(conditions)
        await self._say(self._node.prepare(told, self._now_ms()))
        self._note_left_out(told)

    async def show(self, condition: ScadaCondition) -> None:
        """Publish what has changed of a condition."""
        await self._say(self._node.show(condition, self._now_ms()))
        self._note_left_out([condition])

    async def forget(self, alarm_id: str) -> None:
        """Show a decommissioned alarm as normal; its metrics stay until the process ends."""
        if (before := self._node.alarms.get(alarm_id)) is not None:
            await self.show(before.gone(utc_from_ns(self._clock.now_ns())))

    async def trust(self, *, is_live: bool) -> None:
        """Mark all metrics as good or as stale."""
        await self._say(self._node.trust(is_live=is_live, now_ms=self._now_ms()))

    async def ask_to_refresh(self) -> None:
        """Do nothing: what hosts were told is what they have, and a birth tells it anew."""

    async def count(self, link: str, watchdog: int) -> None:
        """Publish the plain figures."""
        await self._say(self._node.count(link, watchdog, self._now_ms()))

    def link(self, desk: Orders) -> None:
        """Connect what hosts ask for."""
        self._desk = desk

    async def start(self) -> None:
        """Let sessions begin: what there is to tell is known."""
        self._may_begin.set()

    async def keep_sessions(self) -> None:
        """Keep a session with the broker; never ends by itself, and takes its leave when ended."""
        await self._may_begin.wait()
        pause_s = _PAUSE_S
        try:
            while True:
                try:
                    await asyncio.to_thread(self._broker.check)
                    await self._session()
                    pause_s = _PAUSE_S
                except (MqttError, FatalError) as error:
                    was_born = self.problem is None
                    self._note(self._broker.why(error))
                    pause_s = _PAUSE_S if was_born else min(2 * pause_s, _LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s)
        finally:
            await cancel(self._orders)

    async def _session(self) -> None:
        number = self._numbers.take()
        async with self._broker.client(self._node.death(number, self._now_ms())) as client:
            await self._listen(client)
            await self._stay(client, number)

    async def _listen(self, client: Client) -> None:
        filters = self._node.names.filters
        codes = await heeded(client.subscribe([(each, 1) for each in filters]))
        for wanted, code in zip(filters, codes, strict=True):
            if getattr(code, "is_failure", False):
                raise MqttError(f"expected to be let in to {wanted}, got a refusal: see its ACL")

    async def _stay(self, client: Client, number: int) -> None:
        """Be born and tell what changes, until the connection or the primary host is lost."""
        self._host = None
        self._broken.clear()
        self._births_wanted.clear()
        if self._node.names.host is None:
            self._births_wanted.set()
        else:
            self._note(f"the primary host {self._node.names.host!r} is not online")
        self._client = client
        try:
            await first_of(self._hear(client), self._give_births(number), self._broken.wait())
        finally:
            await self._leave(client, number)

    async def _give_births(self, number: int) -> None:
        while True:
            await self._births_wanted.wait()
            self._births_wanted.clear()
            await self._say(self._node.births(number, self._now_ms()))
            if not self._broken.is_set():
                self._note(None)
                self._metrics.sparkplug_births.inc()
                _log.info("sparkplug_born", edge=self._node.names.topic("NBIRTH"), bd_seq=number)
            await asyncio.sleep(_BETWEEN_BIRTHS_S)

    async def _leave(self, client: Client, number: int) -> None:
        """Say that all values are stale from now on: who disconnects in order leaves no will."""
        async with self._lock:
            self._client = None
            if self._node.is_born:
                self._node.end()
                with suppress(MqttError):
                    await _publish(client, self._node.death(number, self._now_ms()))

    async def _hear(self, client: Client) -> None:
        """Take what comes; end when the primary host goes away."""
        async for message in client.messages:
            try:
                if message.topic.value == self._node.names.state_topic:
                    self._take_state(host_state_of(_bytes_of(message)))
                else:
                    self._take_command(message)
            except PayloadError as error:
                self._metrics.sparkplug_refused.inc()
                topic = escaped(message.topic.value)[:300]
                _log.warning("command_refused", topic=topic, detail=escaped(str(error)))
            if self._host is not None and not self._host.is_online and self._node.is_born:
                self._note(f"the primary host {self._node.names.host!r} went offline")
                return

    def _take_state(self, state: HostState) -> None:
        if self._host is not None and state.timestamp_ms < self._host.timestamp_ms:
            return
        was_online = self._host is not None and self._host.is_online
        self._host = state
        if not state.is_online:
            self._births_wanted.clear()
        elif not was_online:
            self._births_wanted.set()

    def _take_command(self, message: Message) -> None:
        data = _bytes_of(message)
        if message.retain:
            raise PayloadError("expected a command of now, got a retained one")
        payload, names = decode(data), self._node.names
        if message.topic.value == names.topic("NCMD"):
            if asks_for_births(payload) and self._node.is_born:
                self._births_wanted.set()
        elif (equipment := names.equipment_of(message.topic.value)) is not None:
            for asked in acks_of(equipment, payload):
                self._begin_order(asked)

    def _begin_order(self, asked: AckAsked) -> None:
        if asked.alarm_id not in self._node.alarms:
            raise PayloadError(f"expected an alarm that is shown, got {asked.alarm_id!r}")
        if len(self._orders) >= _MOST_ORDERS:
            raise PayloadError(f"expected at most {_MOST_ORDERS} orders at a time, got more")
        task = asyncio.create_task(self._carry_out(asked))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    async def _carry_out(self, asked: AckAsked) -> None:
        outcome = OrderOutcome.DENIED
        if self._user is not None and self._desk is not None:
            outcome = await self._desk.carry_out(asked.alarm_id, asked.order(), self._user)
        answer = AckAnswer(asked.token, asked.user, outcome.value)
        await self._say(self._node.answer(asked.alarm_id, answer, self._now_ms()))

    async def _say(self, publications: Iterable[EdgeMessage]) -> None:
        """Publish, one message after the other, so that they go out in the order of their seq."""
        async with self._lock:
            if self._client is None or self._broken.is_set():
                return
            try:
                for each in publications:
                    await _publish(self._client, each)
            except MqttError as error:
                self._note(str(error))
                self._broken.set()

    def _note(self, problem: str | None) -> None:
        self.problem = None if problem is None else escaped(problem)
        self.dependencies.tell(MQTT, _SOURCE, self.problem)

    def _note_left_out(self, conditions: Iterable[ScadaCondition]) -> None:
        missing = [each for each in conditions if each.alarm_id not in self._node.alarms]
        if missing and not self._is_full:
            self._is_full = True
            _log.warning("alarms_left_out", first=missing[0].alarm_id, shown=len(self._node.alarms))

    def _now_ms(self) -> int:
        return self._clock.now_ns() // _NS_PER_MS


async def _publish(client: Client, publication: EdgeMessage) -> None:
    told = client.publish(publication.topic, publication.payload, qos=publication.qos)
    await heeded(told)


def _bytes_of(message: Message) -> bytes:
    data = message.payload
    if not isinstance(data, bytes | bytearray) or len(data) > LONGEST:
        raise PayloadError(f"expected at most {LONGEST} bytes, got more")
    return bytes(data)
