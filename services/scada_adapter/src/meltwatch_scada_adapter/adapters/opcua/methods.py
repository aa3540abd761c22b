"""Methods of conditions: their arguments checked here, the rest left to the alarm manager."""

from collections.abc import Awaitable, Callable
from functools import partial
from math import isfinite
from typing import Any, Final

from asyncua import ua
from meltwatch_schemas.alarm_command import Command

from meltwatch_scada_adapter.adapters.opcua.fields import NAMESPACE
from meltwatch_scada_adapter.adapters.opcua.patches import CALLER
from meltwatch_scada_adapter.domain.orders import Order, OrderOutcome
from meltwatch_scada_adapter.ports import Orders

Method = Callable[..., Awaitable[ua.StatusCode]]
_MS_PER_S: Final = 1000.0
_NO_REASON: Final = "no reason given (OPC UA)"
_EVENT, _TEXT = ua.VariantType.ByteString, ua.VariantType.LocalizedText
_TIME = ua.VariantType.Double


class _WrongArgumentError(Exception):
    def __init__(self, outcome: OrderOutcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def acknowledge(event: bytes | None, comment: str | None) -> Order:
    """Acknowledge what was seen."""
    return Order(Command.ACK, _token(event), comment)


def add_comment(_event: bytes | None, comment: str | None) -> Order:
    """Say something about an alarm; the event is not needed for it."""
    return Order(Command.COMMENT, None, comment)


def timed_shelve(time_ms: float, comment: str | None = None) -> Order:
    """Put an alarm aside for a time."""
    arguments = {"duration_s": time_ms / _MS_PER_S, "reason": comment or _NO_REASON}
    return Order(Command.SHELVE, None, comment, arguments)


def one_shot_shelve(comment: str | None = None) -> Order:
    """Put an alarm aside until it has returned to normal."""
    arguments = {"one_shot": True, "reason": comment or _NO_REASON}
    return Order(Command.SHELVE, None, comment, arguments)


def plain(command: Command, comment: str | None = None) -> Order:
    """Order something that needs no more than a reason, if that."""
    return Order(command, None, comment, {"reason": comment or _NO_REASON})


def take_out(comment: str | None) -> Order:
    """Take an alarm out of service: what is said is the reason and names the work order."""
    arguments = {"reason": comment, "work_order": comment} if comment else {}
    return Order(Command.OUT_OF_SERVICE, None, comment, arguments)


_IDS = ua.ObjectIds
METHODS: Final[dict[int, tuple[Callable[..., Order], tuple[ua.VariantType, ...]]]] = {
    _IDS.AcknowledgeableConditionType_Acknowledge: (acknowledge, (_EVENT, _TEXT)),
    _IDS.ConditionType_AddComment: (add_comment, (_EVENT, _TEXT)),
    _IDS.ShelvedStateMachineType_TimedShelve: (timed_shelve, (_TIME,)),
    _IDS.ShelvedStateMachineType_TimedShelve2: (timed_shelve, (_TIME, _TEXT)),
    _IDS.ShelvedStateMachineType_OneShotShelve: (one_shot_shelve, ()),
    _IDS.ShelvedStateMachineType_OneShotShelve2: (one_shot_shelve, (_TEXT,)),
    _IDS.ShelvedStateMachineType_Unshelve: (partial(plain, Command.UNSHELVE), ()),
    _IDS.ShelvedStateMachineType_Unshelve2: (partial(plain, Command.UNSHELVE), (_TEXT,)),
    _IDS.AlarmConditionType_Reset: (partial(plain, Command.RESET), ()),
    _IDS.AlarmConditionType_Reset2: (partial(plain, Command.RESET), (_TEXT,)),
    _IDS.AlarmConditionType_Suppress: (partial(plain, Command.SUPPRESS), ()),
    _IDS.AlarmConditionType_Suppress2: (partial(plain, Command.SUPPRESS), (_TEXT,)),
    _IDS.AlarmConditionType_Unsuppress: (partial(plain, Command.UNSUPPRESS), ()),
    _IDS.AlarmConditionType_Unsuppress2: (partial(plain, Command.UNSUPPRESS), (_TEXT,)),
    _IDS.AlarmConditionType_RemoveFromService2: (take_out, (_TEXT,)),
    _IDS.AlarmConditionType_PlaceInService: (partial(plain, Command.IN_SERVICE), ()),
    _IDS.AlarmConditionType_PlaceInService2: (partial(plain, Command.IN_SERVICE), (_TEXT,)),
}
"""What each method of the types means, and the types of its arguments."""
UNSUPPORTED: Final = (
    _IDS.ConditionType_Enable,
    _IDS.ConditionType_Disable,
    _IDS.AcknowledgeableConditionType_Confirm,
    _IDS.AlarmConditionType_RemoveFromService,
    _IDS.AlarmConditionType_Silence,
)
"""Methods of the types that Meltwatch has no command for."""


def order_of(method: int, arguments: tuple[Any, ...]) -> Order | OrderOutcome:
    """Return what a call means, or why its arguments are wrong."""
    make, wanted = METHODS[method]
    if len(arguments) < len(wanted):
        return OrderOutcome.TOO_FEW
    if len(arguments) > len(wanted):
        return OrderOutcome.TOO_MANY
    try:
        values = [_value(*pair) for pair in zip(arguments, wanted, strict=True)]
        return make(*values)
    except _WrongArgumentError as fault:
        return fault.outcome


def callback_of(method: int, orders: Orders) -> Method:
    """Return what asyncua calls for a method."""

    async def called(parent: ua.NodeId, *arguments: Any) -> ua.StatusCode:
        order = order_of(method, arguments)
        alarm_id = alarm_id_of_node(parent)
        if isinstance(order, OrderOutcome):
            return status(order)
        if alarm_id is None:
            return status(OrderOutcome.UNKNOWN_NODE)
        session = CALLER.get(None)
        if session is None or not session.user.name:
            return status(OrderOutcome.DENIED)
        return status(await orders.carry_out(alarm_id, order, session.user.name))

    return called


async def unsupported(_parent: ua.NodeId, *_: Any) -> ua.StatusCode:
    """Answer a method that has no meaning here."""
    return status(OrderOutcome.UNSUPPORTED)


def alarm_id_of_node(node: ua.NodeId) -> str | None:
    """Return the alarm id of a condition's node, or of its shelving state; None of another."""
    if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, str):
        return None
    return node.Identifier.partition(":")[0]


def status(outcome: OrderOutcome) -> ua.StatusCode:
    """Return the status code of an outcome."""
    return ua.StatusCode(getattr(ua.StatusCodes, outcome.value))


def _value(argument: Any, wanted: ua.VariantType) -> Any:
    value = argument.Value
    if wanted is _TEXT:
        return _text(value)
    if wanted is _EVENT:
        if value is not None and not isinstance(value, bytes):
            raise _WrongArgumentError(OrderOutcome.INVALID)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongArgumentError(OrderOutcome.INVALID)
    if not isfinite(value):
        raise _WrongArgumentError(OrderOutcome.SHELVING_TIME)
    return float(value)


def _text(value: Any) -> str | None:
    """Return a comment: Part 9 wants localised text, some clients send a plain string."""
    text = value.Text if isinstance(value, ua.LocalizedText) else value
    if text is not None and not isinstance(text, str):
        raise _WrongArgumentError(OrderOutcome.INVALID)
    return text or None


def _token(event: bytes | None) -> str:
    if event is None or len(event) != 16:
        raise _WrongArgumentError(OrderOutcome.UNKNOWN_EVENT)
    return event.hex()
