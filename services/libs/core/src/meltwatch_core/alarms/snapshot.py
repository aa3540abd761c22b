"""Alarm records: the full snapshot after a transition, and the transition itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from meltwatch_schemas.alarm import (
    SEVERITY,
    AlarmPoint,
    AlarmRecord,
    AlarmTimes,
    Evidence,
    Guidance,
    Mode,
    ModelReference,
    Quality,
    Transition,
    rfc3339,
    utc_from_ns,
)
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_core.alarms.alarm import CLOCK, Alarm, ReceivedScore
from meltwatch_core.alarms.alarm_state import Facts, WrongState, derive
from meltwatch_core.alarms.annunciation import announces
from meltwatch_core.alarms.condition import Due
from meltwatch_core.alarms.lost_source import telling
from meltwatch_core.alarms.system_alarms import SETPOINT_FOREIGN, SYSTEM_ALARMS, words_of
from meltwatch_core.alarms.trust import quality_of, quality_reasons

_NAMESPACE: Final = UUID("7c0b7a52-8a3e-5d0c-9f5b-2f0d3c1f6a10")


def occurrence_id(alarm_id: str, condition_time: datetime, run_id: str | None) -> str:
    """Return the UUIDv5 of one activation: the same data gives the same id on reprocessing."""
    name = f"{alarm_id}|{rfc3339(condition_time)}|{run_id or ''}"
    return str(uuid5(_NAMESPACE, name))


def event_id(alarm_id: str, epoch: int, seq: int) -> str:
    """Return 32 hex digits, unique per record: first 16 bytes of SHA-256 of ``id|epoch|seq``."""
    return hashlib.sha256(f"{alarm_id}|{epoch}|{seq}".encode()).digest()[:16].hex()


NO_MODEL: Final = "none"
"""In the place of name, version and digest where no model has a part in an alarm."""


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
    """Who caused a transition, and what they wrote; empty where it was no person."""

    cause: str
    by: str | None = None
    comment: str | None = None


def raised(
    alarm: Alarm, received: ReceivedScore, change: Due, facts: Facts, stamp: Stamp
) -> AlarmRecord:
    """Return the record of a new occurrence."""
    score = received.score
    condition_time = utc_from_ns(change.first_ns)
    return AlarmRecord.model_validate(
        _stamped(alarm, facts, Remark("RAISE"), stamp)
        | _of_point(alarm.point)
        | _judged(received, alarm.point)
        | _seen(received, stamp)
        | {
            "alarm_id": alarm.point.alarm_id,
            "equipment_path": alarm.point.equipment_path,
            "occurrence_id": occurrence_id(alarm.point.alarm_id, condition_time, score.run_id),
            "message": f"{alarm.point.title}: {_level(alarm.point, received)} since "
            f"{condition_time:%H:%M:%S} UTC",
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
        | _judged(received, alarm.point)
        | _seen(received, stamp)
        | {
            "message": f"{alarm.point.title}: returned to normal, {_level(alarm.point, received)}",
            "clear_time": utc_from_ns(change.at_ns),
            "count_24h": len(alarm.raises_before(change.at_ns)),
        },
    )


def requalified(alarm: Alarm, received: ReceivedScore, stamp: Stamp) -> AlarmRecord:
    """Return the record of an alarm whose input is trusted more or less than before."""
    changed = _stamped(alarm, alarm.facts, Remark("QUALITY"), stamp)
    return _following(alarm, changed | _seen(received, stamp))


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
        | _unseen(occasion, point, stamp)
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


def _unseen(occasion: Occasion, point: AlarmPoint, stamp: Stamp) -> dict[str, Any]:
    """Return what stands in place of a score's evidence."""
    since = utc_from_ns(occasion.since_ns)
    return {
        "evidence": Evidence(
            score=None,
            threshold=point.setpoint.logit_on,
            threshold_off=point.setpoint.logit_off,
            window_start=since,
            window_end=since,
        ),
        "model": ModelReference(name=NO_MODEL, version=NO_MODEL, digest=NO_MODEL),
        "quality": Quality.GOOD,
        "quality_reasons": [],
        "times": AlarmTimes(
            event=since, watermark=since, ingest=since, published=utc_from_ns(stamp.at_ns)
        ),
    }


def acknowledged(alarm: Alarm, facts: Facts, remark: Remark, stamp: Stamp) -> AlarmRecord:
    """Return the record of an operator's acknowledgement."""
    acknowledgement = {"ack_time": utc_from_ns(stamp.at_ns), "ack_by": remark.by}
    return remarked(alarm, facts, remark, stamp, acknowledgement)


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
    transition = Transition(
        from_=alarm.state, to=state, cause=remark.cause, by=remark.by, comment=remark.comment
    )
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
        "suppressed": facts.suppressed,
        "retain": facts.retain and alarm.point.mode is not Mode.SHADOW,
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
        "guidance": Guidance(
            consequence=point.consequence_if_no_action,
            action=point.operator_action,
            time_to_respond_s=point.time_to_respond_s,
            url=point.guidance_url,
        ),
    }


def _judged(received: ReceivedScore, point: AlarmPoint) -> dict[str, Any]:
    """Return what the decision rests on; it stays until the next raise or clear."""
    score, setpoint = received.score, point.setpoint
    by_logit = point.condition not in SYSTEM_ALARMS
    members = score.member_logits if by_logit else None
    start_ns = score.window_end_ns - PUBLISHED_SPEC.lookback_ns
    return {
        "evidence": Evidence(
            score=score.logit if by_logit else None,
            threshold=setpoint.logit_on,
            threshold_off=setpoint.logit_off,
            window_start=utc_from_ns(max(0, start_ns)),
            window_end=utc_from_ns(score.window_end_ns),
            members=None if members is None else list(members),
            disagreement=score.disagreement if by_logit else None,
        ),
        "model": ModelReference(
            name=score.model.name,
            version=score.model.version,
            digest=score.model.digest,
            preproc=score.encoder_id,
        ),
    }


def _seen(received: ReceivedScore, stamp: Stamp) -> dict[str, Any]:
    score, times = received.score, received.score.times
    return {
        "quality": quality_of(score),
        "quality_reasons": quality_reasons(score),
        "times": AlarmTimes(
            event=utc_from_ns(times.last_event_ns),
            watermark=utc_from_ns(score.window_end_ns),
            ingest=utc_from_ns(times.last_ingest_ns),
            scored=None if times.scored_ns is None else utc_from_ns(times.scored_ns),
            published=utc_from_ns(stamp.at_ns),
        ),
        "traceparent": received.traceparent,
    }


def _level(point: AlarmPoint, received: ReceivedScore) -> str:
    score, words, setpoint = received.score, words_of(point), point.setpoint
    if words is not None:
        named = sorted(telling(score, words))
        return f"{' and '.join(named)} reported" if named else "no longer reported"
    if point.condition == SETPOINT_FOREIGN:
        whose = "another ensemble" if received.is_foreign else "the ensemble of the set-point"
        return f"verdicts are of {whose}, {score.model.digest[:12]}"
    return f"logit {score.logit:.2f} (on {setpoint.logit_on:.2f}, off {setpoint.logit_off:.2f})"
