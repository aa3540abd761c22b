"""The fields of a condition: the same ones in its events and as variables beneath its node."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from asyncua import ua
from meltwatch_schemas.alarm import Quality

from meltwatch_scada_adapter.domain.condition import ScadaCondition, Shelving

NAMESPACE_URI: Final = "urn:meltwatch:alarms"
NAMESPACE: Final = 2
"""Index of the namespace: the second after OPC UA's own and the server's."""
_QUALITY: Final = {
    Quality.GOOD: ua.StatusCodes.Good,
    Quality.UNCERTAIN: ua.StatusCodes.Uncertain,
    Quality.BAD: ua.StatusCodes.Bad,
}
_SHELVING: Final = {
    Shelving.UNSHELVED: ua.ObjectIds.ShelvedStateMachineType_Unshelved,
    Shelving.TIMED: ua.ObjectIds.ShelvedStateMachineType_TimedShelved,
    Shelving.ONE_SHOT: ua.ObjectIds.ShelvedStateMachineType_OneShotShelved,
}
_TWO_STATES: Final = {
    "EnabledState": ("Disabled", "Enabled"),
    "ActiveState": ("Inactive", "Active"),
    "AckedState": ("Unacknowledged", "Acknowledged"),
    "SuppressedState": ("Unsuppressed", "Suppressed"),
    "OutOfServiceState": ("In Service", "Out of Service"),
    "LatchedState": ("Unlatched", "Latched"),
}
OWN_FIELDS: Final = ("State", "Priority", "Title", "Score", "EventIdHex")
"""Variables that Part 9 does not know, for clients that read plain values."""
_MS_PER_S: Final = 1000.0


def node_id(path: str) -> ua.NodeId:
    """Return the node id of a level of equipment or a condition: its path."""
    return ua.NodeId(path, NAMESPACE)


def field_id(alarm_id: str, name: str) -> ua.NodeId:
    """Return the node id of a field's variable; no alarm id has a colon."""
    return ua.NodeId(f"{alarm_id}:{name}", NAMESPACE)


def fields_of(condition: ScadaCondition) -> Mapping[str, ua.Variant]:
    """Return the fields by browse path, e.g. ``ActiveState/Id``."""
    return {
        **_of_event(condition),
        **_of_condition(condition),
        **_of_alarm(condition),
        **_own(condition),
    }


def _of_event(condition: ScadaCondition) -> dict[str, ua.Variant]:
    return {
        "EventId": ua.Variant(condition.event_id, ua.VariantType.ByteString),
        "EventType": _node(ua.ObjectIds.AlarmConditionType),
        "SourceNode": ua.Variant(node_id(condition.equipment), ua.VariantType.NodeId),
        "SourceName": _string(condition.equipment),
        "Time": _time(condition.occurred),
        "ReceiveTime": _time(condition.received),
        "Message": _text(condition.message or condition.title),
        "Severity": ua.Variant(condition.severity, ua.VariantType.UInt16),
    }


def _of_condition(condition: ScadaCondition) -> dict[str, ua.Variant]:
    class_id = (
        ua.ObjectIds.SystemConditionClassType
        if condition.is_system
        else ua.ObjectIds.ProcessConditionClassType
    )
    since = _time(condition.occurred)
    quality = ua.StatusCode(_QUALITY[condition.quality])
    return {
        "ConditionClassId": _node(class_id),
        "ConditionClassName": _text("System" if condition.is_system else "Process"),
        "ConditionName": _string(condition.name),
        "BranchId": ua.Variant(ua.NodeId(), ua.VariantType.NodeId),
        "Retain": _truth(condition.retain),
        **_two("EnabledState", True),
        "Quality": ua.Variant(quality, ua.VariantType.StatusCode),
        "Quality/SourceTimestamp": since,
        "LastSeverity": ua.Variant(condition.severity, ua.VariantType.UInt16),
        "LastSeverity/SourceTimestamp": since,
        "Comment": _text(condition.comment),
        "Comment/SourceTimestamp": since,
        "ClientUserId": _string(condition.user),
    }


def _of_alarm(condition: ScadaCondition) -> dict[str, ua.Variant]:
    longest_s = condition.max_shelve_s
    left_s = 0.0
    if condition.unshelve_at is not None:
        left_s = max(0.0, (condition.unshelve_at - condition.received).total_seconds())
    return {
        **_two("ActiveState", condition.active),
        **_two("AckedState", condition.acked),
        **_two("SuppressedState", condition.suppressed),
        **_two("OutOfServiceState", condition.out_of_service),
        **_two("LatchedState", condition.latched),
        "InputNode": ua.Variant(ua.NodeId(), ua.VariantType.NodeId),
        "SuppressedOrShelved": _truth(condition.is_put_aside),
        "ShelvingState/CurrentState": _text(condition.shelving.value),
        "ShelvingState/CurrentState/Id": _node(_SHELVING[condition.shelving]),
        "ShelvingState/UnshelveTime": _duration(left_s),
        "MaxTimeShelved": _duration(0.0 if longest_s is None else longest_s),
    }


def _own(condition: ScadaCondition) -> dict[str, ua.Variant]:
    score = float("nan") if condition.score is None else condition.score
    values = {
        "State": _string(condition.state.value),
        "Priority": _string(condition.priority.value),
        "Title": _string(condition.title),
        "Score": ua.Variant(score, ua.VariantType.Double),
        "EventIdHex": _string(condition.event_id.hex()),
    }
    assert tuple(values) == OWN_FIELDS  # noqa: S101 - two lists of one thing
    return values


def _two(name: str, value: bool) -> dict[str, ua.Variant]:
    return {name: _text(_TWO_STATES[name][value]), f"{name}/Id": _truth(value)}


def _truth(value: bool) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.Boolean)


def _string(value: str) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.String)


def _text(value: str) -> ua.Variant:
    return ua.Variant(ua.LocalizedText(value), ua.VariantType.LocalizedText)


def _duration(seconds: float) -> ua.Variant:
    return ua.Variant(seconds * _MS_PER_S, ua.VariantType.Double)


def _time(value: datetime) -> ua.Variant:
    return ua.Variant(value.astimezone(UTC), ua.VariantType.DateTime)


@lru_cache(maxsize=64)
def _node(number: int) -> Any:
    return ua.Variant(ua.NodeId(number), ua.VariantType.NodeId)
