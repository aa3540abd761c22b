"""What a client's method means as a command, and what a result means to the client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from meltwatch_schemas.alarm_command import Command, CommandResult, ResultCode


class OrderOutcome(StrEnum):
    """What the client is answered; each is one status code of OPC UA."""

    GOOD = "Good"
    TIMEOUT = "BadTimeout"
    AWAY = "BadNoCommunication"
    DENIED = "BadUserAccessDenied"
    INVALID = "BadInvalidArgument"
    UNKNOWN_NODE = "BadNodeIdUnknown"
    UNKNOWN_EVENT = "BadEventIdUnknown"
    ALREADY_ACKED = "BadConditionBranchAlreadyAcked"
    ALREADY_SHELVED = "BadConditionAlreadyShelved"
    NOT_SHELVED = "BadConditionNotShelved"
    SHELVING_TIME = "BadShelvingTimeOutOfRange"
    WRONG_STATE = "BadInvalidState"
    UNSUPPORTED = "BadNotSupported"
    TOO_FEW = "BadArgumentsMissing"
    TOO_MANY = "BadTooManyArguments"


@dataclass(frozen=True, slots=True)
class Order:
    """A command that a client has called, before it is told who called.

    Attributes
    ----------
    command
        Which.
    event_id
        The annunciation that was seen, as hex digits; None where the method names none.
    comment
        What the person said; None if nothing.
    arguments
        As the contract of commands names them.
    """

    command: Command
    event_id: str | None = None
    comment: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


_WRONG_STATE: Final = {
    Command.ACK: OrderOutcome.ALREADY_ACKED,
    Command.SHELVE: OrderOutcome.ALREADY_SHELVED,
    Command.UNSHELVE: OrderOutcome.NOT_SHELVED,
}
_BY_CODE: Final = {
    ResultCode.OK: OrderOutcome.GOOD,
    ResultCode.DUPLICATE: OrderOutcome.GOOD,
    ResultCode.UNKNOWN_ALARM: OrderOutcome.UNKNOWN_NODE,
    ResultCode.STALE: OrderOutcome.UNKNOWN_EVENT,
    ResultCode.NOT_PERMITTED: OrderOutcome.DENIED,
    ResultCode.BAD_ARGUMENTS: OrderOutcome.INVALID,
}


def outcome_of(command: Command, result: CommandResult | None) -> OrderOutcome:
    """Return what a result means; none in time is a time-out, and the truth comes as an event."""
    if result is None:
        return OrderOutcome.TIMEOUT
    if result.code is ResultCode.WRONG_STATE:
        return _WRONG_STATE.get(command, OrderOutcome.WRONG_STATE)
    if result.code is ResultCode.BAD_ARGUMENTS and command is Command.SHELVE:
        return OrderOutcome.SHELVING_TIME
    return _BY_CODE.get(result.code, OrderOutcome.INVALID)
