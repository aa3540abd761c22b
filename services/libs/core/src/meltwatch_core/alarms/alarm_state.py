"""Alarm states after ISA-18.2 / IEC 62682: orthogonal facts, and a state derived from them.

What is not suppressed:

===================  =======  ==================================================================
from                 trigger  to
===================  =======  ==================================================================
NORM                 RAISE    UNACK
UNACK                ACK      ACKED
UNACK                CLEAR    LATUN if reset is required, else RTNUN if ack is required, else NORM
ACKED                CLEAR    LATAK if reset is required, else NORM
UNACK, ACKED         REALARM  UNACK: announced again
RTNUN                ACK      NORM
LATUN                ACK      LATAK
LATUN                RESET    RTNUN if ack is required, else NORM
LATAK                RESET    NORM
RTNUN, LATUN, LATAK  RAISE    UNACK: a new occurrence
===================  =======  ==================================================================

Suppression is of three kinds: out of service (OOSRV), by design (DSUPR: a parent stands, the
furnace's state, a command of the plant's logic), shelved by an operator (SHLVD). Each is a fact of
its own. The state shows the first that is in force: OOSRV > DSUPR > SHLVD > latched > active and
acknowledged. (Before all of them would come "disabled", but nothing disables an alarm point.)

====================  ===============  ===========================================================
from                  trigger          to
====================  ===============  ===========================================================
any but OOSRV         SHELVE           SHLVD (DSUPR stays); a shelved one is shelved anew
shelved               UNSHELVE         released, as below
shelved, until now    EXPIRE           released
any                   SUPPRESS         DSUPR (OOSRV stays), by other rules than before
by design             UNSUPPRESS       released; DSUPR while another rule is in force
any not OOSRV         OUT_OF_SERVICE   OOSRV
OOSRV                 IN_SERVICE       released
suppressed            RAISE            the same state: nobody is called
suppressed            CLEAR            the same state; a one-shot shelving and what the manager's
                                       own rules suppress end with it: released
suppressed            ACK, RESET,      refused
                      REALARM
====================  ===============  ===========================================================

Released: the state that another suppression gives, if one is left. Else UNACK if the condition
holds, announced anew; else NORM. The condition is judged under every suppression, so nothing of the
past is needed when one ends. Everything that is in no table is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from meltwatch_schemas.alarm import AlarmState, OutOfService, Shelve
from meltwatch_schemas.alarm_point import AlarmPoint


class WrongState(ValueError):  # noqa: N818 - named for the code of the command's result
    """The alarm is not in a state in which this may happen."""


class Suppression(StrEnum):
    """Why nobody is called, in the words of a record's ``suppressed``; the first decides the state.

    Attributes
    ----------
    OUT_OF_SERVICE
        Taken out by an engineer.
    MASKED
        By design: a parent stands, which tells enough.
    FURNACE_STATE
        By design: the furnace is in a state of ``suppress_when``.
    COMMANDED
        By design: the plant's own logic has said so.
    SHELVED
        Put aside by an operator for a time.
    """

    OUT_OF_SERVICE = "out_of_service"
    MASKED = "masked"
    FURNACE_STATE = "furnace_state"
    COMMANDED = "commanded"
    SHELVED = "shelved"


Rules = frozenset[Suppression]
OWN_RULES: Final[Rules] = frozenset({Suppression.MASKED, Suppression.FURNACE_STATE})
"""By design, as the manager itself finds out: judged anew whenever the condition holds."""
BY_DESIGN: Final[Rules] = OWN_RULES | {Suppression.COMMANDED}


class Trigger(StrEnum):
    """What can change an alarm's facts."""

    RAISE = "RAISE"
    CLEAR = "CLEAR"
    ACK = "ACK"
    RESET = "RESET"
    REALARM = "REALARM"
    SHELVE = "SHELVE"
    UNSHELVE = "UNSHELVE"
    EXPIRE = "EXPIRE"
    SUPPRESS = "SUPPRESS"
    UNSUPPRESS = "UNSUPPRESS"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    IN_SERVICE = "IN_SERVICE"


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
    shelve
        The shelving in force.
    rules
        The kinds of suppression by design in force.
    out_of_service
        Who has taken it out of service, if it is.
    """

    active: bool = False
    acked: bool = True
    latched: bool = False
    shelve: Shelve | None = None
    rules: Rules = frozenset()
    out_of_service: OutOfService | None = None

    @property
    def suppressed(self) -> list[Suppression]:
        """The kinds of suppression in force, the first one decides the state."""
        found = set(self.rules)
        if self.shelve is not None:
            found.add(Suppression.SHELVED)
        if self.out_of_service is not None:
            found.add(Suppression.OUT_OF_SERVICE)
        return [kind for kind in Suppression if kind in found]

    @property
    def retain(self) -> bool:
        """Whether the alarm belongs on an operator's list (OPC UA: Retain)."""
        return not self.suppressed and (self.active or not self.acked or self.latched)

    @property
    def is_silenced(self) -> bool:
        """Whether nobody hears of the alarm: a masked one's parent is heard in its place."""
        return bool(set(self.suppressed) - {Suppression.MASKED})


@dataclass(frozen=True, slots=True)
class Given:
    """What a trigger brings along; each field belongs to the triggers named.

    Attributes
    ----------
    now
        Wall clock. EXPIRE.
    shelve
        SHELVE.
    rules
        All suppression by design that is in force from now on. SUPPRESS, UNSUPPRESS.
    out_of_service
        OUT_OF_SERVICE.
    """

    now: datetime | None = None
    shelve: Shelve | None = None
    rules: Rules = frozenset()
    out_of_service: OutOfService | None = None


NOTHING: Final = Given()


def derive(facts: Facts) -> AlarmState:
    """Return the state that follows from the facts."""
    if facts.out_of_service is not None:
        return AlarmState.OOSRV
    if facts.rules:
        return AlarmState.DSUPR
    if facts.shelve is not None:
        return AlarmState.SHLVD
    if facts.active:
        return AlarmState.ACKED if facts.acked else AlarmState.UNACK
    if facts.latched:
        return AlarmState.LATAK if facts.acked else AlarmState.LATUN
    return AlarmState.NORM if facts.acked else AlarmState.RTNUN


def step(facts: Facts, trigger: Trigger, point: AlarmPoint, given: Given = NOTHING) -> Facts:
    """Return the facts after a trigger.

    Parameters
    ----------
    facts
        Before.
    trigger
        What happens.
    point
        Whether acknowledgement and reset are required.
    given
        What the trigger brings along.

    Raises
    ------
    WrongState
        If the trigger has no place in the present state.
    """
    return _STEPS[trigger](facts, point, given)


def released(facts: Facts) -> Facts:
    """Return the facts after the end of one suppression, if no other is in force."""
    return facts if facts.suppressed else Facts(active=facts.active, acked=not facts.active)


def _refused(trigger: Trigger, facts: Facts, expected: str) -> WrongState:
    return WrongState(f"{trigger}: expected {expected}, got {derive(facts)}")


def _raise(facts: Facts, _point: AlarmPoint, _given: Given) -> Facts:
    if facts.active:
        raise _refused(Trigger.RAISE, facts, "an alarm that is not active")
    return replace(facts, active=True, acked=False, latched=False)


def _clear(facts: Facts, point: AlarmPoint, _given: Given) -> Facts:
    if not facts.active:
        raise _refused(Trigger.CLEAR, facts, "an active alarm")
    if facts.suppressed:
        is_over = facts.shelve is not None and facts.shelve.one_shot
        shelve = None if is_over else facts.shelve
        gone = replace(facts, active=False, shelve=shelve, rules=facts.rules - OWN_RULES)
        # Nobody was called, so nobody has to acknowledge or reset.
        return replace(gone, acked=True, latched=False)
    waits = point.ack_required or point.reset_required
    return Facts(active=False, acked=facts.acked or not waits, latched=point.reset_required)


def _acknowledge(facts: Facts, _point: AlarmPoint, _given: Given) -> Facts:
    if facts.acked or facts.suppressed:
        raise _refused(Trigger.ACK, facts, "UNACK, RTNUN or LATUN")
    return replace(facts, acked=True)


def _reset(facts: Facts, point: AlarmPoint, _given: Given) -> Facts:
    if not facts.latched or facts.suppressed:
        raise _refused(Trigger.RESET, facts, "LATUN or LATAK")
    return replace(facts, latched=False, acked=facts.acked or not point.ack_required)


def _realarm(facts: Facts, _point: AlarmPoint, _given: Given) -> Facts:
    if not facts.active or facts.suppressed:
        raise _refused(Trigger.REALARM, facts, "UNACK or ACKED")
    return replace(facts, acked=False)


def _shelve(facts: Facts, _point: AlarmPoint, given: Given) -> Facts:
    if facts.out_of_service is not None:
        raise _refused(Trigger.SHELVE, facts, "an alarm that is in service")
    return replace(facts, shelve=given.shelve)


def _unshelve(facts: Facts, _point: AlarmPoint, _given: Given) -> Facts:
    if facts.shelve is None:
        raise _refused(Trigger.UNSHELVE, facts, "a shelved alarm")
    return released(replace(facts, shelve=None))


def _expire(facts: Facts, point: AlarmPoint, given: Given) -> Facts:
    if facts.shelve is None or given.now is None or given.now < facts.shelve.until:
        raise _refused(Trigger.EXPIRE, facts, "an alarm that is shelved until now")
    return _unshelve(facts, point, given)


def _suppress(facts: Facts, _point: AlarmPoint, given: Given) -> Facts:
    if not given.rules - facts.rules:
        raise _refused(Trigger.SUPPRESS, facts, "an alarm that is not suppressed so already")
    return replace(facts, rules=given.rules)


def _unsuppress(facts: Facts, _point: AlarmPoint, given: Given) -> Facts:
    if not given.rules < facts.rules:
        raise _refused(Trigger.UNSUPPRESS, facts, "an alarm that is suppressed so")
    return released(replace(facts, rules=given.rules))


def _take_out(facts: Facts, _point: AlarmPoint, given: Given) -> Facts:
    if facts.out_of_service is not None:
        raise _refused(Trigger.OUT_OF_SERVICE, facts, "an alarm that is in service")
    return replace(facts, out_of_service=given.out_of_service)


def _put_back(facts: Facts, _point: AlarmPoint, _given: Given) -> Facts:
    if facts.out_of_service is None:
        raise _refused(Trigger.IN_SERVICE, facts, "OOSRV")
    return released(replace(facts, out_of_service=None))


_STEPS: Final[dict[Trigger, Callable[[Facts, AlarmPoint, Given], Facts]]] = {
    Trigger.RAISE: _raise,
    Trigger.CLEAR: _clear,
    Trigger.ACK: _acknowledge,
    Trigger.RESET: _reset,
    Trigger.REALARM: _realarm,
    Trigger.SHELVE: _shelve,
    Trigger.UNSHELVE: _unshelve,
    Trigger.EXPIRE: _expire,
    Trigger.SUPPRESS: _suppress,
    Trigger.UNSUPPRESS: _unsuppress,
    Trigger.OUT_OF_SERVICE: _take_out,
    Trigger.IN_SERVICE: _put_back,
}
