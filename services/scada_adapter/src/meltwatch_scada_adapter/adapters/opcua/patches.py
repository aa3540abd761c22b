"""What asyncua's server does otherwise than Part 9 asks: mended by subclasses, in one place.

asyncua names its own classes where it makes them, so ``mend`` puts these in their place. The
version is pinned; tests with foreign clients show that each is still needed and works.
"""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server import (
    binary_server_asyncio,
    monitored_item_service,
    subscription_service,
)
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import WhereClauseEvaluator
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import nodeid_from_binary
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.tasks import cancel
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_scada_adapter.adapters.opcua.events import REFRESH_EVENTS, Announcement, note

CALLER: ContextVar["CallerSession"] = ContextVar("CALLER")
"""The session whose method call is being carried out."""
_HAS_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_CALL: Final = ua.NodeId(ua.ObjectIds.CallRequest_Encoding_DefaultBinary)
_MOST_CALLS: Final = 32
_DEEPEST: Final = 32
_CLOCK: Final = SystemClock()
_OVERFLOWN: Final = "events were lost because the queue was full"


def mend() -> None:
    """Make asyncua use the classes below; once or more often is the same."""
    monitored_item_service.WhereClauseEvaluator = SubtypeFilter
    subscription_service.InternalSubscription = TellingSubscription
    binary_server_asyncio.UaProcessor = PatientProcessor


class SubtypeFilter(WhereClauseEvaluator):
    """A client's filter: OfType means subtypes too, and no filter holds back a refresh's frame."""

    def eval(self, event: Any) -> bool:
        """Tell whether an event passes."""
        return event.EventType in REFRESH_EVENTS or bool(super().eval(event))

    def _eval_el(self, index: int, event: Any) -> Any:
        element = self.elements[index]
        if element.FilterOperator != ua.FilterOperator.OfType:
            return super()._eval_el(index, event)
        wanted = self._eval_op(element.FilterOperands[0], event)
        return wanted in list(self._types(event.EventType))

    def _types(self, event_type: ua.NodeId) -> Iterator[ua.NodeId]:
        """Yield a type and those above it."""
        for _ in range(_DEEPEST):
            yield event_type
            above = [
                ref.NodeId
                for ref in self._aspace[event_type].references
                if ref.ReferenceTypeId == _HAS_SUBTYPE and not ref.IsForward
            ]
            if not above:
                return
            event_type = above[0]


class TellingSubscription(InternalSubscription):
    """Says so when a full queue has dropped events: asyncua drops the oldest in silence.

    Attributes
    ----------
    owner
        Name of the user who made it: nobody else may take it over.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._overflown: set[int] = set()
        self.owner: str | None = None

    async def enqueue_event(self, mid: int, eventdata: Any, maxsize: int) -> None:
        """Put an event into a monitored item's queue."""
        if maxsize and len(self._triggered_events.get(mid, ())) >= maxsize:
            self._overflown.add(mid)
        await super().enqueue_event(mid, eventdata, maxsize)

    def _pop_triggered_events(self, result: ua.PublishResult) -> None:
        for mid in self._overflown & self._triggered_events.keys():
            item = self.monitored_item_srv._monitored_items.get(mid)  # noqa: SLF001
            if item is not None:
                self._triggered_events[mid].append(required(item))
        self._overflown.clear()
        super()._pop_triggered_events(result)


def required(item: Any) -> ua.EventFieldList:
    """Return the event that asks a monitored item's client to refresh."""
    now = utc_from_ns(_CLOCK.now_ns())
    event = note(ua.ObjectIds.RefreshRequiredEventType, _OVERFLOWN, now)
    fields = ua.EventFieldList()
    fields.ClientHandle = item.client_handle
    fields.EventFields = event.to_event_fields(item.filter.SelectClauses)
    return fields


class CallerSession(InternalSession):
    """A client's session: tells methods who calls, and touches no subscription of others."""

    async def call(self, params: list[ua.CallMethodRequest]) -> Any:
        """Call methods in this session's name."""
        token = CALLER.set(self)
        try:
            return await super().call(params)
        finally:
            CALLER.reset(token)

    def owns(self, subscription_id: int) -> bool:
        """Tell whether a subscription is this session's."""
        found = self.subscription_service.subscriptions.get(subscription_id)
        return found is not None and found.session_id == self.session_id

    async def create_subscription(self, *args: Any, **options: Any) -> Any:
        """Make a subscription of this session."""
        result = await super().create_subscription(*args, **options)
        made: Any = self.subscription_service.subscriptions[result.SubscriptionId]
        made.owner = self.user.name
        return result

    async def transfer_subscriptions(self, params: Any, callback: Any) -> Any:
        """Take over subscriptions of an earlier session of the same user."""
        for number in params.SubscriptionIds:
            found: Any = self.subscription_service.subscriptions.get(number)
            if found is not None and found.owner != self.user.name:
                raise ServiceError(ua.StatusCodes.BadUserAccessDenied)
        return await super().transfer_subscriptions(params, callback)

    async def create_monitored_items(self, params: Any) -> Any:
        """Watch items in a subscription of this session."""
        self._refuse_others(params.SubscriptionId)
        return await super().create_monitored_items(params)

    async def modify_monitored_items(self, params: Any) -> Any:
        """Change items in a subscription of this session."""
        self._refuse_others(params.SubscriptionId)
        return await super().modify_monitored_items(params)

    async def delete_monitored_items(self, params: Any) -> Any:
        """Watch items of a subscription of this session no longer."""
        self._refuse_others(params.SubscriptionId)
        return await super().delete_monitored_items(params)

    async def set_monitoring_mode(self, params: Any) -> Any:
        """Set the mode of items in a subscription of this session."""
        self._refuse_others(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: Any) -> Any:
        """Let subscriptions of this session publish, or not."""
        for number in params.SubscriptionIds:
            self._refuse_others(number)
        return await super().set_publishing_mode(params)

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """End subscriptions of this session."""
        own = [number for number in ids if self.owns(number)]
        codes = dict(zip(own, await super().delete_subscriptions(own), strict=True))
        unknown = ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
        return [codes.get(number, unknown) for number in ids]

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Give a message of a subscription of this session once more."""
        self._refuse_others(params.SubscriptionId)
        return super().republish(params)

    def _refuse_others(self, subscription_id: int) -> None:
        if not self.owns(subscription_id):
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)


class AlarmServer(InternalServer):
    """Makes sessions that know their caller; takes no registrations of other servers."""

    def create_session(self, name: str, user: Any = None, external: bool = False) -> CallerSession:
        """Make a client's session; it may do nothing before it is activated."""
        known = {} if user is None else {"user": user}
        return CallerSession(
            self, self.aspace, self.subscription_service, name, external=external, **known
        )

    @property
    def open_sessions(self) -> int:
        """Number of clients' sessions."""
        return len(self._external_sessions)

    def register_server(self, *_: Any) -> None:
        """Refuse: anybody could fill the list, without a login."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)


class PatientProcessor(UaProcessor):
    """A connection that goes on while a method waits for the alarm manager's answer.

    asyncua handles one request after the other: a client whose acknowledgement takes seconds would
    hear nothing meanwhile, and some hang up then.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._calls: set[asyncio.Task[Any]] = set()

    async def process_message(self, seqhdr: Any, body: Any) -> Any:
        """Handle a request; a call of methods beside those that follow."""
        handled = super().process_message(seqhdr, body)
        if nodeid_from_binary(body.copy()) != _CALL or len(self._calls) >= _MOST_CALLS:
            return await handled
        call = asyncio.create_task(handled)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return True

    async def close(self) -> None:
        """End what waits, when the connection is lost."""
        await cancel(self._calls)
        await super().close()


async def deliver(subscription: Any, event: Announcement) -> None:
    """Give an event to those of a subscription who watch the node that emits it."""
    await subscription.monitored_item_srv.trigger_event(event)


async def deliver_to_items(subscription: Any, event: Announcement, only: int | None) -> None:
    """Give an event to every event item of a subscription, or to one of them."""
    service = subscription.monitored_item_srv
    for mid in event_items(subscription):
        if only in (None, mid):
            await service._trigger_event(event, mid)  # noqa: SLF001


def event_items(subscription: Any) -> dict[int, ua.NodeId]:
    """Return the event items of a subscription with the node that each watches."""
    service = subscription.monitored_item_srv
    return {
        mid: node
        for node, mids in service._monitored_events.items()  # noqa: SLF001
        for mid in mids
    }
