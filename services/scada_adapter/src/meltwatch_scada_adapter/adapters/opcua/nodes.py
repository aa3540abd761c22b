"""The nodes that clients browse: levels of the plant, a condition under each alarm's id.

A condition's node stands before its alarm is raised for the first time, because some SCADA systems
take alarms only of conditions that were set up beforehand. Methods are the ones of the types: a
reference from each condition makes them found and called either way.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from asyncua import ua
from asyncua.server.internal_server import InternalServer
from meltwatch_chassis.clock import Clock
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_scada_adapter.adapters.opcua.fields import field_id, fields_of, node_id
from meltwatch_scada_adapter.adapters.opcua.pattern import NodePattern
from meltwatch_scada_adapter.domain.condition import ScadaCondition, levels

_OBJECTS: Final = ua.NodeId(ua.ObjectIds.ObjectsFolder)
_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_METHODS: Final = (
    ua.ObjectIds.ConditionType_Enable,
    ua.ObjectIds.ConditionType_Disable,
    ua.ObjectIds.ConditionType_AddComment,
    ua.ObjectIds.AcknowledgeableConditionType_Acknowledge,
    ua.ObjectIds.AlarmConditionType_Reset,
    ua.ObjectIds.AlarmConditionType_Reset2,
    ua.ObjectIds.AlarmConditionType_Suppress,
    ua.ObjectIds.AlarmConditionType_Suppress2,
    ua.ObjectIds.AlarmConditionType_Unsuppress,
    ua.ObjectIds.AlarmConditionType_Unsuppress2,
    ua.ObjectIds.AlarmConditionType_RemoveFromService2,
    ua.ObjectIds.AlarmConditionType_PlaceInService,
    ua.ObjectIds.AlarmConditionType_PlaceInService2,
)
_SHELVING_METHODS: Final = (
    ua.ObjectIds.ShelvedStateMachineType_TimedShelve,
    ua.ObjectIds.ShelvedStateMachineType_TimedShelve2,
    ua.ObjectIds.ShelvedStateMachineType_OneShotShelve,
    ua.ObjectIds.ShelvedStateMachineType_OneShotShelve2,
    ua.ObjectIds.ShelvedStateMachineType_Unshelve,
    ua.ObjectIds.ShelvedStateMachineType_Unshelve2,
)
_TYPES: Final = {
    ua.VariantType.NodeId: ua.ObjectIds.NodeId,
    ua.VariantType.ByteString: ua.ObjectIds.ByteString,
    ua.VariantType.StatusCode: ua.ObjectIds.StatusCode,
    ua.VariantType.DateTime: ua.ObjectIds.UtcTime,
    ua.VariantType.LocalizedText: ua.ObjectIds.LocalizedText,
    ua.VariantType.String: ua.ObjectIds.String,
    ua.VariantType.Boolean: ua.ObjectIds.Boolean,
    ua.VariantType.UInt16: ua.ObjectIds.UInt16,
    ua.VariantType.UInt32: ua.ObjectIds.UInt32,
    ua.VariantType.Double: ua.ObjectIds.Double,
}
_SHELVING: Final = "ShelvingState"
_log = structlog.get_logger()


class PlantNodes:
    """Makes nodes and writes their values.

    Parameters
    ----------
    server
        Initialised, with our namespace.
    clock
        When a value or its status has changed: the source timestamps.
    most
        Conditions beyond this number are not shown; each is logged once.

    Attributes
    ----------
    refused
        Alarms that are not shown.
    """

    def __init__(self, server: InternalServer, clock: Clock, most: int) -> None:
        self._server = server
        self._clock = clock
        self._most = most
        self.refused: set[str] = set()
        self._equipment: set[str] = set()
        self._shown: dict[str, dict[ua.NodeId, ua.Variant]] = {}
        self._code = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
        self._figures: dict[ua.NodeId, ua.Variant] = {}
        self._pattern: NodePattern | None = None

    def __len__(self) -> int:
        return len(self._shown)

    def __contains__(self, alarm_id: str) -> bool:
        return alarm_id in self._shown

    def notifiers(self, condition: ScadaCondition) -> Iterable[ua.NodeId]:
        """Return whose subscribers hear of a condition: the server and every level above it."""
        return (_SERVER, *map(node_id, levels(condition.equipment)))

    async def ensure(self, condition: ScadaCondition) -> bool:
        """Make the nodes of a condition unless they are there; tell whether it is shown."""
        if condition.alarm_id in self._shown:
            return True
        identity = node_id(condition.alarm_id)
        if len(self._shown) >= self._most or identity in self._server.aspace:
            if condition.alarm_id not in self.refused:
                self.refused.add(condition.alarm_id)
                _log.warning("condition_not_shown", alarm_id=condition.alarm_id, most=self._most)
            return False
        await self._ensure_equipment(condition.equipment)
        above = node_id(condition.equipment)
        kind = ua.NodeId(ua.ObjectIds.AlarmConditionType)
        await self._object(identity, above, condition.name, kind)
        await self._refer(above, ua.ObjectIds.HasCondition, identity)
        if self._pattern is None:
            await self._make_fields(condition)
            self._pattern = NodePattern(self._server.aspace, identity)
        else:
            self._pattern.copy_to(identity)
        self._shown[condition.alarm_id] = {}
        await self.write(condition)
        return True

    async def _make_fields(self, condition: ScadaCondition) -> None:
        identity = node_id(condition.alarm_id)
        shelving = field_id(condition.alarm_id, _SHELVING)
        machine = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType)
        await self._object(shelving, identity, _SHELVING, machine, namespace=0)
        for method in _METHODS:
            await self._refer(identity, ua.ObjectIds.HasComponent, ua.NodeId(method))
        for method in _SHELVING_METHODS:
            await self._refer(shelving, ua.ObjectIds.HasComponent, ua.NodeId(method))
        for name, value in sorted(fields_of(condition).items()):
            await self._field(condition.alarm_id, name, value)

    async def write(self, condition: ScadaCondition) -> None:
        """Write the variables of a condition."""
        known = self._shown[condition.alarm_id]
        for name, value in fields_of(condition).items():
            identity = field_id(condition.alarm_id, name)
            if known.get(identity) != value:
                known[identity] = value
                await self._write(identity, value, self._code)

    async def figure(self, name: str, value: ua.Variant) -> None:
        """Write a plain figure of the adapter itself; it is always good."""
        identity = ua.NodeId(name, node_id("").NamespaceIndex)
        if identity not in self._figures:
            await self._variable(identity, _OBJECTS, name, value, is_property=False)
        self._figures[identity] = value
        await self._write(identity, value, ua.StatusCode())

    async def trust(self, code: int) -> None:
        """Give every variable of a condition a status code, with its last value."""
        self._code = ua.StatusCode(code)
        for known in list(self._shown.values()):
            for identity, value in known.items():
                await self._write(identity, value, self._code)
            await asyncio.sleep(0)  # writing never waits: others must run meanwhile

    async def _write(self, identity: ua.NodeId, value: ua.Variant, code: ua.StatusCode) -> None:
        now = utc_from_ns(self._clock.now_ns())
        data = ua.DataValue(value, StatusCode=code, SourceTimestamp=now)
        await self._server.aspace.write_attribute_value(identity, ua.AttributeIds.Value, data)

    async def _field(self, alarm_id: str, name: str, value: ua.Variant) -> None:
        above, _, last = name.rpartition("/")
        parent = field_id(alarm_id, above) if above else node_id(alarm_id)
        await self._variable(field_id(alarm_id, name), parent, last, value, is_property=bool(above))

    async def _ensure_equipment(self, path: str) -> None:
        above = _OBJECTS, _SERVER
        for level in levels(path):
            identity = node_id(level)
            if level not in self._equipment:
                kind = ua.NodeId(ua.ObjectIds.BaseObjectType)
                await self._object(identity, above[0], level.rpartition("/")[2], kind, notifies=1)
                await self._refer(above[1], ua.ObjectIds.HasNotifier, identity)
                self._equipment.add(level)
            above = identity, identity

    async def _object(
        self,
        identity: ua.NodeId,
        parent: ua.NodeId,
        name: str,
        kind: ua.NodeId,
        notifies: int = 0,
        namespace: int = node_id("").NamespaceIndex,
    ) -> None:
        attributes = ua.ObjectAttributes(DisplayName=ua.LocalizedText(name), EventNotifier=notifies)
        item = _item(identity, parent, ua.QualifiedName(name, namespace), kind)
        item.NodeClass = ua.NodeClass.Object
        item.NodeAttributes = attributes
        await self._add(item)

    async def _variable(
        self,
        identity: ua.NodeId,
        parent: ua.NodeId,
        name: str,
        value: ua.Variant,
        *,
        is_property: bool,
    ) -> None:
        kind = ua.ObjectIds.PropertyType if is_property else ua.ObjectIds.BaseDataVariableType
        item = _item(identity, parent, ua.QualifiedName(name, 0), ua.NodeId(kind))
        if is_property:
            item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
        item.NodeClass = ua.NodeClass.Variable
        item.NodeAttributes = ua.VariableAttributes(
            DisplayName=ua.LocalizedText(name),
            Value=value,
            DataType=ua.NodeId(_TYPES[value.VariantType]),
            ValueRank=-1,
            AccessLevel=1,
            UserAccessLevel=1,
        )
        await self._add(item)

    async def _add(self, item: Any) -> None:
        for result in await self._server.isession.add_nodes([item]):
            result.StatusCode.check()

    async def _refer(self, source: ua.NodeId, kind: int, target: ua.NodeId) -> None:
        item = ua.AddReferencesItem()
        item.SourceNodeId, item.TargetNodeId = source, target
        item.ReferenceTypeId = ua.NodeId(kind)
        item.IsForward = True
        for code in await self._server.isession.add_references([item]):
            code.check()


def _item(
    identity: ua.NodeId, parent: ua.NodeId, name: ua.QualifiedName, kind: ua.NodeId
) -> ua.AddNodesItem:
    item = ua.AddNodesItem()
    item.RequestedNewNodeId = identity
    item.ParentNodeId = parent
    item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasComponent)
    item.BrowseName = name
    item.TypeDefinition = kind
    return item
