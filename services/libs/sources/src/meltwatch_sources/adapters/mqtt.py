"""Meters whose values come by an MQTT broker, in JSON or in Sparkplug B."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from aiomqtt import Client, Message, MqttError
from aiomqtt.exceptions import MqttConnectError
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.connecting import Peer, opened, tls_context
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.tasks import cancel, heeded
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.address import Address
from meltwatch_sources.credentials import Credentials, redacted
from meltwatch_sources.domain.messages import MessageReader, TopicMessage
from meltwatch_sources.domain.reading import MeterReading, nothing
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost

SILENT_S: Final = 10
"""Without any value for so long, the reason is told; no value may be held for longer."""
_ASK_AGAIN_S: Final = 30
_LOOK_S: Final = 1.0
_SHORT: Final = 8_192
"""Bytes that are read in a few milliseconds."""
_ANSWER_S: Final = 5.0
_KEEP_ALIVE_S: Final = 10
"""A broker that hears nothing for half as long again is given up, and so is one that is silent."""
_MOST_WAITING: Final = 1_000
_LOGIN_REFUSED: Final = frozenset({4, 5, 134, 135})
"""Of MQTT 3.1.1, and of MQTT 5, whose numbers the library may give."""
_CA_FILE: Final = "ca.pem in the folder of the credentials"


@dataclass(frozen=True, slots=True)
class MqttPlace:
    """Where a broker is.

    Attributes
    ----------
    where
        Its address; ``mqtts`` is with TLS.
    login
        User, password and certificates, if any.
    """

    where: Address
    login: Credentials | None = None

    def client(self, context: ssl.SSLContext | None) -> Client:
        """Return a client for one connection, under a name of its own."""
        login = self.login
        return Client(
            self.where.host.strip("[]"),
            self.where.port,
            identifier=f"meltwatch-{secrets.token_hex(6)}",
            username=None if login is None else login.username,
            password=None if login is None else login.password,
            tls_context=context,
            clean_session=True,
            timeout=_ANSWER_S,
            keepalive=_KEEP_ALIVE_S,
            max_queued_incoming_messages=_MOST_WAITING,
        )

    def check(self) -> ssl.SSLContext | None:
        """Connect without a word, to learn why it fails: the client hides it, and leaks a socket.

        Raises
        ------
        FatalError
            With one line.
        """
        context = self._context()
        peer = Peer("MQTT", f"{self.where.host}:{self.where.port}", _CA_FILE)
        with opened(peer, context):
            return context

    def _context(self) -> ssl.SSLContext | None:
        if self.where.scheme != "mqtts":
            return None
        login = self.login
        context = tls_context(None if login is None else login.authority, _CA_FILE)
        if login is None or login.certificate is None:
            return context
        try:
            context.load_cert_chain(login.certificate, login.private_key)
        except OSError as error:
            raise SourceLost(f"expected PEM in cert.pem and key.pem, got {error}") from None
        return context


class MqttMeter:
    """Passes on what a publisher tells by a broker.

    Parameters
    ----------
    place
        Where the broker is.
    reader
        What its messages mean; a new one for each connection.
    clock
        Of the host.
    """

    def __init__(self, place: MqttPlace, reader: MessageReader, clock: Clock) -> None:
        self._place = place
        self._reader = reader
        self._clock = clock
        self._listens = False
        self._asked_ns = -_ASK_AGAIN_S * NS_PER_S

    async def readings(self, stop: asyncio.Event) -> AsyncGenerator[MeterReading, None]:
        """Give what comes; a proof of life of the publisher, and what is missing, now and then.

        Raises
        ------
        SourceLost
            If the broker cannot be reached, refuses, or goes away.
        """
        context = None
        try:
            context = await asyncio.to_thread(self._place.check)
            async with self._place.client(context) as client:
                await self._subscribe(client)
                async with aclosing(self._heard(client, stop)) as heard:
                    async for reading in heard:
                        yield reading
        except MqttConnectError as error:
            is_login = getattr(error.rc, "value", error.rc) in _LOGIN_REFUSED
            refused = f"the broker refused us: {self._redacted(error)}"
            raise SourceLost(refused, Loss.REFUSED if is_login else Loss.LOST) from None
        except (MqttError, FatalError, OSError) as error:
            wants_tls = isinstance(error, MqttError) and not self._listens and context is None
            hint = "; does it want TLS, as mqtts:// has it?" if wants_tls else ""
            raise SourceLost(f"{self._redacted(error)}{hint}") from None

    async def _subscribe(self, client: Client) -> None:
        topics = self._reader.topics
        codes = await heeded(client.subscribe([(topic, 0) for topic in topics]))
        for topic, code in zip(topics, codes, strict=True):
            if getattr(code, "is_failure", False):
                raise SourceLost(f"expected to be let in to {topic}, got a refusal: see its ACL")
        self._listens = True

    async def _heard(
        self, client: Client, stop: asyncio.Event
    ) -> AsyncGenerator[MeterReading, None]:
        told_ns = self._clock.monotonic_ns()
        coming = asyncio.ensure_future(anext(client.messages))
        try:
            while not stop.is_set():
                done, _ = await asyncio.wait({coming}, timeout=_LOOK_S)
                readings = []
                if done:
                    readings = await self._taken(self._message(coming.result()))
                    coming = asyncio.ensure_future(anext(client.messages))
                    await self._ask(client)
                elif self._reader.is_alive:
                    readings = [self._without("", phases=())]
                now_ns = self._clock.monotonic_ns()
                if any(reading.phases for reading in readings):
                    told_ns = now_ns
                elif now_ns - told_ns > SILENT_S * NS_PER_S:
                    told_ns = now_ns
                    why = self._reader.why or f"no message for {SILENT_S} s"
                    readings = [*readings, self._without(why)]
                for reading in readings:
                    yield reading
        finally:
            await cancel([coming])

    async def _taken(self, message: TopicMessage) -> list[MeterReading]:
        """Read a message; a long one beside the loop, which has other meters to attend to."""
        if len(message.payload) <= _SHORT:
            return self._reader.take(message)
        return await asyncio.to_thread(self._reader.take, message)

    async def _ask(self, client: Client) -> None:
        """Send what the reader wants of the publisher, and not too often."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._asked_ns < _ASK_AGAIN_S * NS_PER_S:
            return
        if (request := self._reader.request()) is not None:
            self._asked_ns = now_ns
            await heeded(client.publish(*request))

    def _message(self, message: Message) -> TopicMessage:
        payload = message.payload if isinstance(message.payload, bytes | bytearray) else b""
        return TopicMessage(
            message.topic.value, bytes(payload), message.retain, self._clock.now_ns()
        )

    def _without(self, why: str, phases: tuple[int, ...] = (0, 1, 2)) -> MeterReading:
        now_ns = self._clock.now_ns()
        return MeterReading(nothing(), None, now_ns, now_ns, why, phases)

    def _redacted(self, error: Exception) -> str:
        return redacted(str(error) or type(error).__name__, self._place.login)
