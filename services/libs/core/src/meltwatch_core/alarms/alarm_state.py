"""Alarm states after ISA-18.2 / IEC 62682: orthogonal facts, and a state derived from them.

=======  =======  ======================================================================
from     trigger  to
=======  =======  ======================================================================
NORM     RAISE    UNACK
UNACK    ACK      ACKED
UNACK    CLEAR    LATUN if reset is required, else RTNUN if ack is required, else NORM
ACKED    CLEAR    LATAK if reset is required, else NORM
RTNUN    ACK      NORM
LATUN    ACK      LATAK
LATUN    RESET    RTNUN if ack is required, else NORM
LATAK    RESET    NORM
RTNUN, LATUN, LATAK  RAISE  UNACK: a new occurrence
any but NORM  SUPPRESS  DSUPR: a parent stands, which tells enough
DSUPR    RAISE    DSUPR
DSUPR    CLEAR    NORM: nobody was told of it
DSUPR    UNSUPPRESS  UNACK if the condition holds, announced anew; else NORM
=======  =======  ======================================================================

Everything else is refused. A suppression is a fact of its own and outranks the others in
``derive``. The condition is still judged while it lasts, so nothing of the past is needed when it
ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from meltwatch_schemas.alarm import AlarmPoint, AlarmState


class WrongState(ValueError):  # noqa: N818 - named for the code of the command's result
    """The alarm is not in a state in which this may happen."""


MASKED: Final = "masked"
"""Among a record's ``suppressed``: a parent stands."""


class Trigger(StrEnum):
    """What can change an alarm's facts."""

    RAISE = "RAISE"
    CLEAR = "CLEAR"
    ACK = "ACK"
    RESET = "RESET"
    SUPPRESS = "SUPPRESS"
    UNSUPPRESS = "UNSUPPRESS"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of an alarm.

    Attributes
    ----------
    active
        The condition holds.
    acked
        Nothing waits for an operator's acknowledgement.
    latched
        The condition is gone, and an operator must reset the alarm.
    masked
        A parent stands: the alarm is not announced.
    """

    active: bool = False
    acked: bool = True
    latched: bool = False
    masked: bool = False

    @property
    def stands(self) -> bool:
        """Whether an operator still has something to see or do, masked or not."""
        return self.active or not self.acked or self.latched

    @property
    def retain(self) -> bool:
        """Whether the alarm belongs on an operator's list (OPC UA: Retain)."""
        return self.stands and not self.masked

    @property
    def suppressed(self) -> list[str]:
        """The kinds of suppression in force, in words."""
        return [MASKED] if self.masked else []


def derive(facts: Facts) -> AlarmState:
    """Return the state that follows from the facts."""
    if facts.masked:
        return AlarmState.DSUPR
    if facts.active:
        return AlarmState.ACKED if facts.acked else AlarmState.UNACK
    if facts.latched:
        return AlarmState.LATAK if facts.acked else AlarmState.LATUN
    return AlarmState.NORM if facts.acked else AlarmState.RTNUN


def step(facts: Facts, trigger: Trigger, point: AlarmPoint) -> Facts:
    """Return the facts after a trigger.

    Parameters
    ----------
    facts
        Before.
    trigger
        What happens.
    point
        Whether acknowledgement and reset are required.

    Raises
    ------
    WrongState
        If the trigger has no place in the present state.
    """
    return _STEPS[trigger](facts, point)


def _raise(facts: Facts, _point: AlarmPoint) -> Facts:
    if facts.active:
        raise WrongState(f"RAISE: expected an alarm that is not active, got {derive(facts)}")
    return replace(facts, active=True, acked=False, latched=False)


def _clear(facts: Facts, point: AlarmPoint) -> Facts:
    if not facts.active:
        raise WrongState(f"CLEAR: expected an active alarm, got {derive(facts)}")
    if facts.masked:
        return Facts()
    waits = point.ack_required or point.reset_required
    return Facts(active=False, acked=facts.acked or not waits, latched=point.reset_required)


def _acknowledge(facts: Facts, _point: AlarmPoint) -> Facts:
    if facts.acked or facts.masked:
        raise WrongState(f"ACK: expected UNACK, RTNUN or LATUN, got {derive(facts)}")
    return replace(facts, acked=True)


def _reset(facts: Facts, point: AlarmPoint) -> Facts:
    if not facts.latched or facts.masked:
        raise WrongState(f"RESET: expected LATUN or LATAK, got {derive(facts)}")
    return replace(facts, latched=False, acked=facts.acked or not point.ack_required)


def _mask(facts: Facts, _point: AlarmPoint) -> Facts:
    if facts.masked or not facts.stands:
        raise WrongState(f"SUPPRESS: expected an alarm that stands, got {derive(facts)}")
    return replace(facts, masked=True)


def _unmask(facts: Facts, _point: AlarmPoint) -> Facts:
    if not facts.masked:
        raise WrongState(f"UNSUPPRESS: expected DSUPR, got {derive(facts)}")
    return Facts(active=facts.active, acked=not facts.active)


_STEPS: Final[dict[Trigger, Callable[[Facts, AlarmPoint], Facts]]] = {
    Trigger.RAISE: _raise,
    Trigger.CLEAR: _clear,
    Trigger.ACK: _acknowledge,
    Trigger.RESET: _reset,
    Trigger.SUPPRESS: _mask,
    Trigger.UNSUPPRESS: _unmask,
}
