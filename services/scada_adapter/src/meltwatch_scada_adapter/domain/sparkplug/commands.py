"""What hosts ask for: births anew, acknowledgements; and whether the primary host is there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.bounds import MAX_USER
from meltwatch_schemas.sparkplug import Payload, PayloadError
from meltwatch_schemas.text import is_printable

from meltwatch_scada_adapter.domain.orders import Order

REBIRTH: Final = "Node Control/Rebirth"
FOLDER: Final = "Alarms"
"""Metrics of alarms are named ``Alarms/NAME/FACT``."""
ACK, ACK_USER, ACK_RESULT = "Ack", "AckUser", "AckResult"
LONGEST: Final = 65_536
"""Bytes of a command; what is longer is not looked at."""
_LONGEST_TOKEN: Final = 64
_LONGEST_STATE: Final = 1_024


@dataclass(frozen=True, slots=True)
class AckAsked:
    """A host asks for an acknowledgement.

    Attributes
    ----------
    alarm_id
        Of which alarm; it may not exist.
    token
        The event id that was seen.
    user
        Who did it, as the host says, which proves nothing; empty if it says nothing.
    """

    alarm_id: str
    token: str
    user: str

    def order(self) -> Order:
        """Return it as an order; who the host says it was is a remark."""
        said = f"the host says: {self.user}" if self.user else None
        return Order(Command.ACK, self.token, said)


@dataclass(frozen=True, slots=True)
class AckAnswer:
    """What became of the last acknowledgement that a host has asked for.

    Attributes
    ----------
    token
        The event id that it named.
    user
        Who the host says it was; empty if it says nothing.
    result
        One word.
    """

    token: str = ""
    user: str = ""
    result: str = ""


NOTHING_ASKED: Final = AckAnswer()


@dataclass(frozen=True, slots=True)
class HostState:
    """What the primary host says of itself.

    Attributes
    ----------
    is_online
        Whether it is there.
    timestamp_ms
        When it said so, by its own clock; of two the newer one counts.
    """

    is_online: bool
    timestamp_ms: int


def asks_for_births(payload: Payload) -> bool:
    """Tell whether a command to the node asks for all births."""
    return any(each.name == REBIRTH and each.value is True for each in payload.metrics)


def acks_of(equipment: str, payload: Payload) -> Iterator[AckAsked]:
    """Yield the acknowledgements that a command to a device asks for.

    Raises
    ------
    PayloadError
        If one is asked for in words that cannot be right.
    """
    said = {each.name: each.value for each in payload.metrics}
    for name, token in said.items():
        folder, _, rest = name.partition("/")
        alarm, _, fact = rest.rpartition("/")
        if (folder, fact) != (FOLDER, ACK) or token in (None, ""):
            continue
        user = said.get(f"{FOLDER}/{alarm}/{ACK_USER}") or ""
        yield AckAsked(
            f"{equipment}/{alarm}", _checked(token, _LONGEST_TOKEN), _checked(user, MAX_USER)
        )


def host_state_of(data: bytes) -> HostState:
    """Return what a state message says: ``{"online": true, "timestamp": 1764400000000}``.

    Raises
    ------
    PayloadError
        If it is none.
    """
    try:
        said = json.loads(data[:_LONGEST_STATE])
        is_online, timestamp = said["online"], said["timestamp"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PayloadError(f"expected online and timestamp as JSON, got {error!r}") from None
    if not isinstance(is_online, bool) or type(timestamp) is not int:
        raise PayloadError("expected online as a boolean and timestamp as an integer")
    return HostState(is_online, timestamp)


def _checked(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not is_printable(value):
        raise PayloadError(f"expected at most {longest} printable characters")
    return value
