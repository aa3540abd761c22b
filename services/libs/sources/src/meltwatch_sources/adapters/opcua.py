"""Meters whose values an OPC UA server tells: a subscription to one node a phase."""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from asyncua import Client, ua
from asyncua.common.subscription import DataChangeEvent
from meltwatch_chassis.clock import Clock

from meltwatch_sources.adapters.opcua_login import log_in
from meltwatch_sources.credentials import Credentials, redacted
from meltwatch_sources.domain.reading import MeterReading, Wiring, nothing
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost

SAMPLING_MS: Final = 250.0
QUEUE: Final = 10
"""With a queue of one, half of the samples were lost where a server publishes twice a second."""
ANSWER_S: Final = 4.0
SILENT_S: Final = 5.0
"""The server's own time changes every second; without news of it the session is dead."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOSE_S: Final = 2.0
_KEPT: Final = 1000
_REFUSALS: Final = frozenset(
    {
        ua.StatusCodes.BadIdentityTokenInvalid,
        ua.StatusCodes.BadIdentityTokenRejected,
        ua.StatusCodes.BadUserAccessDenied,
    }
)
_DISTRUSTED: Final = frozenset(
    {
        ua.StatusCodes.BadCertificateUntrusted,
        ua.StatusCodes.BadCertificateTimeInvalid,
        ua.StatusCodes.BadCertificateUriInvalid,
        ua.StatusCodes.BadCertificateInvalid,
    }
)


class OpcUaSecurity(Enum):
    """How messages travel."""

    NONE = "None"
    SIGN = "Basic256Sha256/Sign"
    SIGN_AND_ENCRYPT = "Basic256Sha256/SignAndEncrypt"

    @property
    def mode(self) -> ua.MessageSecurityMode:
        """The same as the protocol names it."""
        return _MODES[self]


_MODES: Final = {
    OpcUaSecurity.NONE: ua.MessageSecurityMode.None_,
    OpcUaSecurity.SIGN: ua.MessageSecurityMode.Sign,
    OpcUaSecurity.SIGN_AND_ENCRYPT: ua.MessageSecurityMode.SignAndEncrypt,
}


@dataclass(frozen=True, slots=True)
class OpcUaPlace:
    """Where a server tells the currents.

    Attributes
    ----------
    url
        Without a login.
    nodes
        One a phase, in the meter's order: ``nsu=URI;s=…``. An index changes with a restart.
    security
        How messages travel.
    login
        User, certificate, and who signed the server's, if any.
    """

    url: str
    nodes: tuple[str, ...]
    security: OpcUaSecurity = OpcUaSecurity.NONE
    login: Credentials | None = None


class OpcUaMeter:
    """Passes on what the server tells of the three nodes, each by itself.

    Parameters
    ----------
    place
        Where the nodes are.
    wiring
        What their values mean.
    clock
        Of the host.
    """

    def __init__(self, place: OpcUaPlace, wiring: Wiring, clock: Clock) -> None:
        self._place = place
        self._wiring = wiring
        self._clock = clock
        self._client = Client(place.url, timeout=ANSWER_S)
        self._phases: dict[ua.NodeId, int] = {}

    async def readings(self, stop: asyncio.Event) -> AsyncGenerator[MeterReading, None]:
        """Give one reading a notification: of one phase, or of none as a proof of life.

        Raises
        ------
        SourceLost
            If the session cannot be had, ends, or is silent.
        """
        try:
            subscription = await self._subscribe()
            # Anything else is the end of the subscription.
            while isinstance(event := await subscription.next_event(SILENT_S), DataChangeEvent):
                if stop.is_set():
                    return
                yield self._reading(event)
        except SourceLost:
            raise
        except TimeoutError:
            raise SourceLost(f"expected news of the server, none came for {SILENT_S:g} s") from None
        except Exception as error:  # noqa: BLE001 - whatever a server makes of this library
            raise self._lost(error) from None
        finally:
            await self._close()

    async def _subscribe(self) -> Any:
        """Return a subscription to the nodes, and to the server's time as its sign of life."""
        client, place = self._client, self._place
        await log_in(client, place.login, place.security.mode)
        await client.connect()
        names = await client.get_namespace_array()
        nodes = [client.get_node(node_id(text, names)) for text in place.nodes]
        self._phases = {node.nodeid: number for number, node in enumerate(nodes)}
        subscription = await client.create_subscription(SAMPLING_MS, queue_maxsize=_KEPT)
        changes = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        handles = [
            # Its public method takes no filter, and without one a steady value is as good as dead.
            *await subscription._subscribe(  # noqa: SLF001
                nodes,
                ua.AttributeIds.Value,
                changes,
                queuesize=QUEUE,
                sampling_interval=SAMPLING_MS,
            ),
            await subscription.subscribe_data_change(
                client.get_node(ua.ObjectIds.Server_ServerStatus_CurrentTime),
                sampling_interval=SAMPLING_MS,
            ),
        ]
        for name, handle in zip(place.nodes, handles, strict=False):
            if isinstance(handle, ua.StatusCode):
                raise SourceLost(f"expected node {name}, the server says {handle.name}")
        return subscription

    def _reading(self, event: DataChangeEvent) -> MeterReading:
        arrival_ns = self._clock.now_ns()
        values = nothing()
        place = self._phases.get(event.node.nodeid)
        if place is None:
            return MeterReading(values, None, arrival_ns, arrival_ns, phases=())
        phase = self._wiring.phases[place]
        told = event.data.monitored_item.Value
        quality = _quality(told)
        if not quality:
            values[phase] = self._wiring.ampere(float(told.Value.Value))
            quality = "" if math.isfinite(values[phase]) else "no amperes"
        source_ns = _utc_ns(told.SourceTimestamp)
        return MeterReading(values, source_ns, arrival_ns, arrival_ns, quality, (phase,))

    def _lost(self, error: Exception) -> SourceLost:
        code = getattr(error, "code", None)
        text = redacted(str(error) or type(error).__name__, self._place.login)
        if code in _DISTRUSTED and self._place.login is not None:
            return SourceLost(
                f"the server's certificate is refused: {ua.StatusCode(code).name}; expected one "
                f"signed by {self._place.login.authority}, or that one"
            )
        if code in _REFUSALS:
            return SourceLost(f"the server refused the login: {text}", Loss.REFUSED)
        return SourceLost(f"expected an OPC UA session, got {text}")

    async def _close(self) -> None:
        """Leave for good; a server that is frozen is not waited for."""
        protocol = self._client.uaclient.protocol
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self._client.disconnect()
        # Once it has found the loss itself, the library leaves the socket open.
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()
            await asyncio.sleep(0)  # a transport ends in the next turn of the loop


def node_id(text: str, namespaces: Sequence[str]) -> ua.NodeId:
    """Return the id of a node that is named by the URI of its namespace.

    Parameters
    ----------
    text
        ``nsu=URI;s=…`` (or ``i=``, ``g=``, ``b=``).
    namespaces
        URIs in the server's order.

    Raises
    ------
    SourceLost
        If the server has no such namespace.
    """
    uri, _, name = text.removeprefix("nsu=").partition(";")
    if uri not in namespaces:
        raise SourceLost(f"expected namespace {redacted(uri)}, the server has none of that name")
    return ua.NodeId.from_string(f"ns={namespaces.index(uri)};{name}")


def _quality(told: ua.DataValue) -> str:
    status = told.StatusCode
    if status is not None and not status.is_good():
        return f"status {status.name}"
    value = None if told.Value is None else told.Value.Value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if is_number else f"no number: {type(value).__name__}"


def _utc_ns(moment: datetime | None) -> int | None:
    """Return a time of the server, ns UTC: asyncua gives it without a zone."""
    if moment is None:
        return None
    return (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
