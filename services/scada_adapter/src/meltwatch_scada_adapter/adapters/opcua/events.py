"""What is sent to subscribers: fixed at the moment of its making, whatever happens later."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from asyncua import ua

from meltwatch_scada_adapter.adapters.opcua.fields import fields_of, node_id
from meltwatch_scada_adapter.domain.condition import ScadaCondition

REFRESH_EVENTS: Final = frozenset(
    ua.NodeId(number)
    for number in (
        ua.ObjectIds.RefreshStartEventType,
        ua.ObjectIds.RefreshEndEventType,
        ua.ObjectIds.RefreshRequiredEventType,
    )
)
"""Part 9 exempts these three from every filter."""
_NULL: Final = ua.Variant(None)
_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_NOTE_SEVERITY: Final = 100


class Announcement:
    """An event with its own id; asyncua's generator would give it another one.

    Parameters
    ----------
    fields
        By browse path.
    emitting_node
        Whose subscribers get it.
    """

    def __init__(self, fields: Mapping[str, ua.Variant], emitting_node: ua.NodeId) -> None:
        self.fields = MappingProxyType(dict(fields))
        self.emitting_node = emitting_node

    def at(self, emitting_node: ua.NodeId) -> "Announcement":
        """Return the same for the subscribers of another node."""
        return Announcement(self.fields, emitting_node)

    def to_event_fields(self, clauses: Sequence[Any]) -> list[ua.Variant]:
        """Return what a client selects; fields that are not known are null."""
        return [self.fields.get(_name(clause), _NULL) for clause in clauses]

    def __getattr__(self, name: str) -> Any:
        """Give a field's value to a client's filter; one that is not known is null."""
        if name.startswith("_") or name == "fields":
            raise AttributeError(name)
        return self.fields.get(name, _NULL).Value


def announcement_of(condition: ScadaCondition) -> Announcement:
    """Return the event that says how a condition is."""
    condition_id = ua.Variant(node_id(condition.alarm_id), ua.VariantType.NodeId)
    return Announcement({**fields_of(condition), "NodeId": condition_id}, _SERVER)


def note(event_type: int, message: str, now: datetime) -> Announcement:
    """Return an event that is about the list itself: a refresh begins, ends or is due."""
    fields = {
        "EventId": ua.Variant(uuid4().bytes, ua.VariantType.ByteString),
        "EventType": ua.Variant(ua.NodeId(event_type), ua.VariantType.NodeId),
        "SourceNode": ua.Variant(_SERVER, ua.VariantType.NodeId),
        "SourceName": ua.Variant("Server", ua.VariantType.String),
        "Time": ua.Variant(now, ua.VariantType.DateTime),
        "ReceiveTime": ua.Variant(now, ua.VariantType.DateTime),
        "Message": ua.Variant(ua.LocalizedText(message), ua.VariantType.LocalizedText),
        "Severity": ua.Variant(_NOTE_SEVERITY, ua.VariantType.UInt16),
    }
    return Announcement(fields, _SERVER)


def _name(clause: Any) -> str:
    if not clause.BrowsePath:
        return str(ua.AttributeIds(clause.AttributeId).name)
    return "/".join(part.Name for part in clause.BrowsePath)
