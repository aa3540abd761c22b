"""The OPC UA server: nodes, events, refresh, methods."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from asyncua import Server, ua
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_scada_adapter.adapters.opcua.certificates import Certificates
from meltwatch_scada_adapter.adapters.opcua.events import announcement_of, note
from meltwatch_scada_adapter.adapters.opcua.fields import NAMESPACE, NAMESPACE_URI
from meltwatch_scada_adapter.adapters.opcua.methods import (
    METHODS,
    UNSUPPORTED,
    callback_of,
    unsupported,
)
from meltwatch_scada_adapter.adapters.opcua.nodes import PlantNodes
from meltwatch_scada_adapter.adapters.opcua.patches import (
    CALLER,
    AlarmServer,
    deliver,
    deliver_to_items,
    event_items,
    mend,
)
from meltwatch_scada_adapter.adapters.opcua.users import Users
from meltwatch_scada_adapter.domain.condition import ScadaCondition
from meltwatch_scada_adapter.ports import Orders

APPLICATION_URI: Final = "urn:meltwatch:scada-adapter"
_REFRESH: Final = (
    ua.ObjectIds.ConditionType_ConditionRefresh,
    ua.ObjectIds.ConditionType_ConditionRefresh2,
)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """Who may connect, and how.

    Attributes
    ----------
    address
        ``host:port`` to listen on.
    certificates
        The server's, and those of clients.
    users
        Who may log in.
    is_open
        Clients may also come without encryption and without a name; they may only look.
    """

    address: str
    certificates: Certificates
    users: Users
    is_open: bool = False


class OpcUaFace:
    """Shows conditions as events and as variables.

    Parameters
    ----------
    server
        Initialised.
    most
        How many conditions are shown.
    clock
        Stamps the events that frame a refresh.
    """

    problem: str | None = None

    def __init__(self, server: AlarmServer, most: int, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._nodes = PlantNodes(server, clock, most)
        self._conditions: dict[str, ScadaCondition] = {}

    async def prepare(self, conditions: Iterable[ScadaCondition]) -> None:
        """Make nodes for conditions, without an event; those that are shown stay as they are."""
        for condition in conditions:
            if condition.alarm_id not in self._nodes and await self._nodes.ensure(condition):
                self._conditions[condition.alarm_id] = condition
                # Making nodes never waits: without a pause nothing else of the process would run.
                await asyncio.sleep(0)

    async def show(self, condition: ScadaCondition) -> None:
        """Write a condition's variables, and send its event to every level that is listened to."""
        if not await self._nodes.ensure(condition):
            return
        self._conditions[condition.alarm_id] = condition
        await self._nodes.write(condition)
        event = announcement_of(condition)
        for notifier in self._nodes.notifiers(condition):
            for subscription in list(self._subscriptions.values()):
                await deliver(subscription, event.at(notifier))

    async def forget(self, alarm_id: str) -> None:
        """Show a decommissioned alarm as normal; its node stays, so that no client loses it."""
        before = self._conditions.get(alarm_id)
        if before is not None:
            now = utc_from_ns(self._clock.now_ns())
            await self.show(before.gone(now))

    async def trust(self, *, is_live: bool) -> None:
        """Mark all values as good, or as the last that were known."""
        codes = ua.StatusCodes
        await self._nodes.trust(codes.Good if is_live else codes.UncertainLastUsableValue)

    async def ask_to_refresh(self) -> None:
        """Tell every client to read its list anew."""
        event = self._note(ua.ObjectIds.RefreshRequiredEventType, "read the list anew")
        for subscription in list(self._subscriptions.values()):
            await deliver_to_items(subscription, event, None)

    async def count(self, link: str, watchdog: int) -> None:
        """Show the plain figures."""
        shown = self._conditions.values()
        active = sum(each.active for each in shown)
        waiting = sum(each.is_waiting for each in shown)
        await self._nodes.figure("LinkState", ua.Variant(link, ua.VariantType.String))
        for name, number in (
            ("Watchdog", watchdog),
            ("ActiveCount", active),
            ("UnackedCount", waiting),
        ):
            await self._nodes.figure(name, ua.Variant(number, ua.VariantType.UInt32))

    async def refresh(self, _parent: ua.NodeId, *arguments: Any) -> ua.StatusCode:
        """Send the list to one subscription, or to one monitored item: ConditionRefresh and 2."""
        numbers = [argument.Value for argument in arguments]
        if not numbers:
            return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing)
        subscription = self._subscriptions.get(numbers[0])
        if subscription is None:
            return ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
        caller = CALLER.get(None)
        if caller is None or not caller.owns(numbers[0]):
            return ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
        only = numbers[1] if len(numbers) > 1 else None
        if only is not None and only not in event_items(subscription):
            return ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid)
        await self._resend(subscription, only)
        return ua.StatusCode()

    async def _resend(self, subscription: Any, only: int | None) -> None:
        start = self._note(ua.ObjectIds.RefreshStartEventType, "refresh begins")
        await deliver_to_items(subscription, start, only)
        items = event_items(subscription)
        for condition in list(self._conditions.values()):
            if condition.retain:
                heard_at = set(self._nodes.notifiers(condition))
                event = announcement_of(condition)
                for mid, node in items.items():
                    if node in heard_at and only in (None, mid):
                        await deliver_to_items(subscription, event, mid)
        end = self._note(ua.ObjectIds.RefreshEndEventType, "refresh ends")
        await deliver_to_items(subscription, end, only)

    def _note(self, event_type: int, message: str) -> Any:
        return note(event_type, message, utc_from_ns(self._clock.now_ns()))

    @property
    def _subscriptions(self) -> dict[int, Any]:
        found: dict[int, Any] = self._server.subscription_service.subscriptions
        return found

    def measure(self, metrics: Metrics) -> None:
        """Let the metrics ask for the figures when they are read."""
        metrics.opcua_sessions.set_function(lambda: self._server.open_sessions)
        shown = metrics.opcua_conditions
        shown.labels("shown").set_function(lambda: len(self._nodes))
        shown.labels("refused").set_function(lambda: len(self._nodes.refused))

    def link(self, orders: Orders) -> None:
        """Connect the methods of the types, which are those of every condition, too."""
        session = self._server.isession
        for method in METHODS:
            session.add_method_callback(ua.NodeId(method), callback_of(method, orders))
        for method in UNSUPPORTED:
            session.add_method_callback(ua.NodeId(method), unsupported)
        for method in _REFRESH:
            # asyncua awaits coroutine functions alone; a bound one of ours is such.
            session.add_method_callback(ua.NodeId(method), self.refresh)


@asynccontextmanager
async def open_server(
    access: ClientAccess, most: int, clock: Clock
) -> AsyncIterator[tuple[OpcUaFace, "Starter"]]:
    """Make the server; it listens once it is started, so that nobody sees half a plant.

    Parameters
    ----------
    access
        Who may connect.
    most
        How many conditions are shown.
    clock
        For the times of events.
    """
    mend()
    inner = AlarmServer(user_manager=access.users)
    server = Server(iserver=inner)
    await server.init()
    await server.set_application_uri(APPLICATION_URI)
    server.name = "Meltwatch"
    server.set_endpoint(f"opc.tcp://{access.address}/meltwatch")
    await _secure(server, access)
    index = await server.register_namespace(NAMESPACE_URI)
    if index != NAMESPACE:
        raise RuntimeError(f"expected namespace {NAMESPACE}, got {index}")
    starter = Starter(server, access.address)
    try:
        yield OpcUaFace(inner, most, clock), starter
    finally:
        await starter.stop()


class Starter:
    """Lets clients in.

    Parameters
    ----------
    server
        Made ready.
    address
        Where it listens.
    """

    def __init__(self, server: Server, address: str) -> None:
        self._server = server
        self._address = address
        self._is_started = False

    async def start(self) -> None:
        """Listen from now on; once is enough.

        Raises
        ------
        ConfigurationError
            If the address cannot be opened.
        """
        if self._is_started:
            return
        try:
            await self._server.start()
        except OSError as error:
            raise ConfigurationError(
                f"MELTWATCH_OPCUA_ADDRESS: expected to listen on {self._address}, got {error}"
            ) from error
        self._is_started = True
        _log.info("opcua_served", endpoint=f"opc.tcp://{self._address}/meltwatch")

    async def stop(self) -> None:
        """Listen no longer."""
        if self._is_started:
            self._is_started = False
            await self._server.stop()


async def _secure(server: Server, access: ClientAccess) -> None:
    policies = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    tokens: list[type] = [ua.UserNameIdentityToken]
    if access.is_open:
        policies.append(ua.SecurityPolicyType.NoSecurity)
        tokens.append(ua.AnonymousIdentityToken)
    await server.load_certificate(access.certificates.certificate)
    await server.load_private_key(access.certificates.key, format="pem")
    server.set_security_policy(policies)
    server.set_identity_tokens(tokens)
    server.iserver.certificate_validator = partial(_admit, access.certificates)


async def _admit(certificates: Certificates, certificate: Any, _description: Any) -> None:
    certificates.check_client(certificate)
