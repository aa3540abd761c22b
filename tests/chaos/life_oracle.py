"""What may become of an alarm, and what a command may be answered: written from the contract.

Shares no code with the product. An alarm is a handful of facts. Each record of the topic must be
what its cause makes of the facts before it; each answer must be right for the facts of some moment
at which the command may have been read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

Fields = Mapping[str, Any]
_BY_RULES: Final = frozenset({"masked", "furnace_state"})
_COMMANDED: Final = "commanded"


@dataclass(frozen=True)
class Life:
    """What is true of an alarm.

    Attributes
    ----------
    active, acked, latched
        Its condition holds; nobody needs to acknowledge; it must be reset.
    until, one_shot
        The shelving: to when, as it stands in the record.
    rules
        What suppresses it by design.
    out
        It is out of service.
    exists
        It has a record.
    ack_by
        Who has acknowledged it.
    """

    active: bool = False
    acked: bool = True
    latched: bool = False
    until: str | None = None
    one_shot: bool = False
    rules: frozenset[str] = frozenset()
    out: bool = False
    exists: bool = False
    ack_by: str | None = None

    @property
    def state(self) -> str:
        if self.out:
            return "OOSRV"
        if self.rules:
            return "DSUPR"
        if self.until is not None:
            return "SHLVD"
        if self.active:
            return "ACKED" if self.acked else "UNACK"
        if self.latched:
            return "LATAK" if self.acked else "LATUN"
        return "NORM" if self.acked else "RTNUN"

    @property
    def is_quiet(self) -> bool:
        return self.out or bool(self.rules) or self.until is not None


NOTHING: Final = Life()


def told(fields: Fields) -> Life:
    """What a record says."""
    shelve = fields["shelve"] or {}
    out = fields["out_of_service"] is not None
    covers = {"shelved"} if shelve else set()
    covers |= {"out_of_service"} if out else set()
    return Life(
        active=fields["active"],
        acked=fields["acked"],
        latched=fields["latched"],
        until=shelve.get("until"),
        one_shot=shelve.get("one_shot", False),
        rules=frozenset(fields["suppressed"]) - covers,
        out=out,
        exists=True,
        ack_by=fields["ack_by"],
    )


def follows(before: Life, fields: Fields, *, needs_reset: bool) -> str | None:
    """Why a record does not follow from the facts before it, if it does not."""
    after, cause = told(fields), fields["transition"]["cause"]
    if fields["state"] != after.state:
        return f"{cause}: says {fields['state']}, its facts are {after.state}"
    wanted = _expected(before, after, fields, needs_reset=needs_reset)
    if wanted is None:
        return f"{cause} has no place in {before.state}"
    wanted = replace(wanted, exists=True)
    return None if wanted == after else f"{cause}: expected {wanted}, got {after}"


def _expected(before: Life, after: Life, fields: Fields, *, needs_reset: bool) -> Life | None:
    """What a cause makes of the facts; None where it may not be."""
    cause, by = fields["transition"]["cause"], fields["transition"]["by"]
    if not _may_be(cause, before, after, fields):
        return None
    made = {
        "RAISE": replace(
            before,
            active=True,
            acked=False,
            latched=False,
            ack_by=None,
            rules=before.rules | (after.rules & _BY_RULES),
        ),
        "CLEAR": _cleared(before, needs_reset=needs_reset),
        "ACK": replace(before, acked=True, ack_by=by),
        "RESET": replace(before, latched=False),
        "SHELVE": replace(before, until=after.until, one_shot=after.one_shot),
        "UNSHELVE": _released(replace(before, until=None, one_shot=False)),
        "CLOCK": _released(replace(before, until=None, one_shot=False)),
        "SUPPRESS": replace(before, rules=after.rules),
        "UNSUPPRESS": _released(replace(before, rules=after.rules)),
        "OUT_OF_SERVICE": replace(before, out=True),
        "IN_SERVICE": _released(replace(before, out=False)),
        "DECOMMISSION": replace(NOTHING, ack_by=before.ack_by),
    }
    return made.get(cause, before)


def _may_be(cause: str, before: Life, after: Life, fields: Fields) -> bool:
    is_heard = not before.is_quiet
    rules = {
        "RAISE": not before.active,
        "CLEAR": before.active,
        "ACK": is_heard and not before.acked,
        "RESET": is_heard and before.latched,
        "SHELVE": not before.out and after.until is not None,
        "UNSHELVE": before.until is not None,
        "CLOCK": _ran_out(before, fields),
        "SUPPRESS": bool(after.rules - before.rules),
        "UNSUPPRESS": after.rules < before.rules,
        "OUT_OF_SERVICE": not before.out,
        "IN_SERVICE": before.out,
    }
    is_remark = cause in ("COMMENT", "JUDGE", "QUALITY", "RESTATE", "DECOMMISSION")
    return rules.get(cause, is_remark and before.exists)


def _ran_out(before: Life, fields: Fields) -> bool:
    # Both are RFC 3339 in UTC to the microsecond: as texts they stand in the order of time.
    return before.until is not None and before.until <= fields["times"]["published"]


def _cleared(before: Life, *, needs_reset: bool) -> Life:
    if not before.is_quiet:
        return replace(before, active=False, latched=needs_reset)
    gone = replace(before, active=False, acked=True, rules=before.rules - _BY_RULES)
    return replace(gone, until=None, one_shot=False) if before.one_shot else gone


def _released(life: Life) -> Life:
    if life.is_quiet:
        return life
    acked = not life.active
    return replace(life, acked=acked, latched=False, ack_by=life.ack_by if acked else None)


def is_done(command: str, life: Life) -> bool:
    """Tell whether a command in order is obeyed in these facts, or leaves nothing to do."""
    is_heard = life.exists and not life.is_quiet
    rules = {
        "ack": is_heard and (not life.acked or bool(life.ack_by)),
        "reset": is_heard and life.latched,
        "shelve": not life.out,
        "unshelve": life.until is not None,
        "suppress": _COMMANDED not in life.rules,
        "unsuppress": _COMMANDED in life.rules,
        "out_of_service": not life.out,
        "in_service": life.out,
    }
    return rules.get(command, life.exists)
