"""Alarm records: the full snapshot after a transition, and the transition itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, Guidance, Mode, Transition
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import rfc3339, utc_from_ns

from meltwatch_core.alarms.alarm import CLOCK, Alarm, ReceivedScore
from meltwatch_core.alarms.alarm_state import Facts, WrongState, derive
from meltwatch_core.alarms.annunciation import announces
from meltwatch_core.alarms.condition import Due
from meltwatch_core.alarms.evidence import judged, level_text, seen, unseen

_NAMESPACE: Final = UUID("7c0b7a52-8a3e-5d0c-9f5b-2f0d3c1f6a10")


def occurrence_id(alarm_id: str, condition_time: datetime, run_id: str | None) -> str:
    """Return the UUIDv5 of one activation: the same data gives the same id on reprocessing."""
    name = f"{alarm_id}|{rfc3339(condition_time)}|{run_id or ''}"
    return str(uuid5(_NAMESPACE, name))


def event_id(alarm_id: str, epoch: int, seq: int) -> str:
    """Return 32 hex digits, unique per record: first 16 bytes of SHA-256 of ``id|epoch|seq``."""
    return hashlib.sha256(f"{alarm_id}|{epoch}|{seq}".encode()).digest()[:16].hex()


@dataclass(frozen=True, slots=True)
class Stamp:
    """Number and time of the next record.

    Attributes
    ----------
    epoch, seq
        Generation of the manager, and number within it.
    at_ns
        Wall clock, ns UTC.
    """

    epoch: int
    seq: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Who caused a transition, through what, and what they wrote; empty where it was no person."""

    cause: str
    by: str | None = None
    comment: str | None = None
    via: str | None = None


def raised(
    alarm: Alarm, received: ReceivedScore, change: Due, facts: Facts, stamp: Stamp
) -> AlarmRecord:
    """Return the record of a new occurrence."""
    score = received.score
    condition_time = utc_from_ns(change.first_ns)
    since = f" since {alarm.locale.clock(condition_time)}"
    return AlarmRecord.model_validate(
        _stamped(alarm, facts, Remark("RAISE"), stamp)
        | _of_point(alarm.point)
        | judged(received, alarm.point)
        | seen(received, stamp.at_ns)
        | {
            "alarm_id": alarm.point.alarm_id,
            "equipment_path": alarm.point.equipment_path,
            "occurrence_id": occurrence_id(alarm.point.alarm_id, condition_time, score.run_id),
            "message": f"{alarm.point.title}: {level_text(alarm.point, received, since)}",
            "condition_time": condition_time,
            "raise_time": utc_from_ns(change.at_ns),
            "count_24h": len(alarm.raises_before(change.at_ns)) + 1,
            "unregistered": alarm.unregistered or score.unregistered,
            "run_id": score.run_id,
        }
    )


def cleared(
    alarm: Alarm, received: ReceivedScore, change: Due, facts: Facts, stamp: Stamp
) -> AlarmRecord:
    """Return the record of a condition that returned to normal."""
    return _following(
        alarm,
        _stamped(alarm, facts, Remark("CLEAR"), stamp)
        | _of_point(alarm.point)
        | judged(received, alarm.point)
        | seen(received, stamp.at_ns)
        | {
            "message": f"{alarm.point.title}: returned to normal, "
            f"{level_text(alarm.point, received)}",
            "clear_time": utc_from_ns(change.at_ns),
            "count_24h": len(alarm.raises_before(change.at_ns)),
        },
    )


def requalified(alarm: Alarm, received: ReceivedScore, stamp: Stamp) -> AlarmRecord:
    """Return the record of an alarm whose input is trusted more or less than before."""
    changed = _stamped(alarm, alarm.facts, Remark("QUALITY"), stamp)
    return _following(alarm, changed | seen(received, stamp.at_ns))


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why the manager itself raises or clears an alarm, without a score.

    Attributes
    ----------
    since_ns
        Since when it is so, ns UTC.
    at_ns
        When its delay had passed, ns UTC.
    text
        What a person should know, for the message.
    """

    since_ns: int
    at_ns: int
    text: str


def raised_by_clock(alarm: Alarm, occasion: Occasion, facts: Facts, stamp: Stamp) -> AlarmRecord:
    """Return the record of a new occurrence that does not come from a score."""
    point, since = alarm.point, utc_from_ns(occasion.since_ns)
    return AlarmRecord.model_validate(
        _stamped(alarm, facts, Remark(CLOCK), stamp)
        | _of_point(point)
        | unseen(occasion.since_ns, point, stamp.at_ns)
        | {
            "alarm_id": point.alarm_id,
            "equipment_path": point.equipment_path,
            "occurrence_id": occurrence_id(point.alarm_id, since, None),
            "message": f"{point.title}: {occasion.text}",
            "condition_time": since,
            "raise_time": utc_from_ns(occasion.at_ns),
            "count_24h": len(alarm.raises_before(occasion.at_ns)) + 1,
            "unregistered": alarm.unregistered,
        }
    )


def cleared_by_clock(alarm: Alarm, occasion: Occasion, facts: Facts, stamp: Stamp) -> AlarmRecord:
    """Return the record of an alarm whose condition has ended, as the clock tells."""
    return _following(
        alarm,
        _stamped(alarm, facts, Remark(CLOCK), stamp)
        | _of_point(alarm.point)
        | {
            "message": f"{alarm.point.title}: {occasion.text}",
            "clear_time": utc_from_ns(occasion.at_ns),
            "count_24h": len(alarm.raises_before(occasion.at_ns)),
            "times": _last(alarm).times.model_copy(update={"published": utc_from_ns(stamp.at_ns)}),
        },
    )


def acknowledged(alarm: Alarm, facts: Facts, remark: Remark, stamp: Stamp) -> AlarmRecord:
    """Return the record of an operator's acknowledgement."""
    acknowledgement = {"ack_time": utc_from_ns(stamp.at_ns), "ack_by": remark.by}
    return remarked(alarm, facts, remark, stamp, acknowledgement)


def decommissioned(alarm: Alarm, remark: Remark, stamp: Stamp) -> AlarmRecord:
    """Return the last record of an alarm; a tombstone follows it.

    It says how far the furnace was judged: from there on the alarm begins anew.
    """
    message = f"{alarm.point.title}: decommissioned by {remark.by}"
    record = remarked(alarm, Facts(), remark, stamp, {"message": message})
    newest = alarm.condition.newest
    if newest is None:
        return record
    times = record.times.model_copy(update={"watermark": utc_from_ns(newest.end_ns)})
    return record.model_copy(update={"times": times})


def told_again(alarm: Alarm, facts: Facts, stamp: Stamp, *, by_timer: bool) -> AlarmRecord:
    """Return the record of an occurrence that is announced once more."""
    times = (_last(alarm).re_alarms or 0) + 1
    changed = _of_point(alarm.point) | ({"re_alarms": times} if by_timer else {})
    return remarked(alarm, facts, Remark("REALARM"), stamp, changed)


def restated(alarm: Alarm, stamp: Stamp) -> AlarmRecord:
    """Return the true state of an alarm again, because somebody else has written about it."""
    return remarked(alarm, alarm.facts, Remark("RESTATE"), stamp)


def remarked(
    alarm: Alarm,
    facts: Facts,
    remark: Remark,
    stamp: Stamp,
    further: Mapping[str, object] = MappingProxyType({}),
) -> AlarmRecord:
    """Return the record of what a person did; what the alarm rests on stays as it was."""
    times = _last(alarm).times.model_copy(update={"published": utc_from_ns(stamp.at_ns)})
    changed = _stamped(alarm, facts, remark, stamp)
    return _following(alarm, changed | {"times": times, **further})


def covered(alarm: Alarm, facts: Facts, remark: Remark, stamp: Stamp) -> AlarmRecord:
    """Return the record of what may befall an alarm that was never raised: a suppression, say."""
    if alarm.record is not None:
        return remarked(alarm, facts, remark, stamp)
    point, now = alarm.point, utc_from_ns(stamp.at_ns)
    return AlarmRecord.model_validate(
        _stamped(alarm, facts, remark, stamp)
        | _of_point(point)
        | unseen(stamp.at_ns, point, stamp.at_ns)
        | {
            "alarm_id": point.alarm_id,
            "equipment_path": point.equipment_path,
            "occurrence_id": occurrence_id(point.alarm_id, now, None),
            "message": f"{point.title}: was never raised",
            "condition_time": now,
            "count_24h": 0,
            "unregistered": alarm.unregistered,
        }
    )


def _last(alarm: Alarm) -> AlarmRecord:
    if alarm.record is None:
        raise WrongState(
            f"{alarm.point.alarm_id}: expected an alarm that was raised once, got none"
        )
    return alarm.record


def _following(alarm: Alarm, changed: Mapping[str, object]) -> AlarmRecord:
    return AlarmRecord.model_validate({**dict(_last(alarm)), **changed})


def _stamped(alarm: Alarm, facts: Facts, remark: Remark, stamp: Stamp) -> dict[str, Any]:
    state = derive(facts)
    transition = Transition(from_=alarm.state, to=state, **asdict(remark))
    own_id = event_id(alarm.point.alarm_id, stamp.epoch, stamp.seq)
    changed = {
        "event_id": own_id,
        "annunciation_id": _annunciation_id(alarm, facts, transition, own_id),
        "epoch": stamp.epoch,
        "seq": stamp.seq,
        "transition": transition,
        "state": state,
        "active": facts.active,
        "acked": facts.acked,
        "latched": facts.latched,
        "suppressed": [kind.value for kind in facts.suppressed],
        "shelve": facts.shelve,
        "out_of_service": facts.out_of_service,
        "retain": facts.retain and alarm.point.mode is not Mode.SHADOW,
        "time_zone": alarm.locale.time_zone,
        "language": alarm.locale.language,
    }
    # Announced again, it is nobody's any more.
    return changed if facts.acked else changed | {"ack_time": None, "ack_by": None}


def _annunciation_id(alarm: Alarm, facts: Facts, transition: Transition, own_id: str) -> str | None:
    if announces(transition):
        return own_id
    begins_unannounced = facts.active and not alarm.facts.active
    return None if begins_unannounced else alarm.annunciation.event_id


def _of_point(point: AlarmPoint) -> dict[str, Any]:
    return {
        "priority": point.priority,
        "severity": SEVERITY[point.priority],
        "title": point.title,
        "class_": point.class_,
        "config_rev": point.revision,
        "mode": point.mode,
        "audible": point.audible,
        "causes": point.causes,
        "display_url": point.display_url,
        "guidance": Guidance(
            consequence=point.consequence_if_no_action,
            action=point.operator_action,
            time_to_respond_s=point.time_to_respond_s,
            url=point.guidance_url,
        ),
    }
