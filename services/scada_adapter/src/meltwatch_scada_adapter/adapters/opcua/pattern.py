"""Copies of what stands beneath a node: asyncua's own way to make nodes takes ten times as long.

The first condition is made by asyncua's services, the others after its pattern. What is the same
for all of them they share: nobody may write it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData

_NAMES: Final = {
    "BrowseName": ua.AttributeIds.BrowseName,
    "DisplayName": ua.AttributeIds.DisplayName,
}
_Changes = Mapping[ua.NodeId, Mapping[str, Any]]
"""By the target of a reference in the pattern: what is different in the copy's reference."""


class NodePattern:
    """The nodes whose ids begin with that of a node and a colon, and the references between them.

    Parameters
    ----------
    aspace
        Of the server.
    root
        Node that they stand beneath; its id is a string.
    """

    def __init__(self, aspace: AddressSpace, root: ua.NodeId) -> None:
        self._aspace = aspace
        self._root = root
        self._prefix = f"{root.Identifier}:"
        self._beneath = [aspace[identity] for identity in self._reached(root)]
        self._of_root = [each for each in aspace[root].references if each.IsForward]

    def copy_to(self, root: ua.NodeId) -> None:
        """Make the same nodes beneath another node, which has none of them yet."""
        changes: dict[ua.NodeId, Mapping[str, Any]] = {self._root: self._names(root)}
        for data in self._beneath:
            name = str(data.nodeid.Identifier).removeprefix(self._prefix)
            identity = ua.NodeId(f"{root.Identifier}:{name}", root.NamespaceIndex)
            changes[data.nodeid] = {"NodeId": identity}
        for data in self._beneath:
            made = NodeData(changes[data.nodeid]["NodeId"])
            made.attributes = data.attributes | _own_attributes(made.nodeid, data)
            made.references = [_changed(each, changes) for each in data.references]
            self._aspace[made.nodeid] = made
        references = self._aspace[root].references
        known = {each.NodeId for each in references}
        copies = [_changed(each, changes) for each in self._of_root]
        references += [each for each in copies if each.NodeId not in known]

    def _names(self, root: ua.NodeId) -> Mapping[str, Any]:
        attributes = self._aspace[root].attributes
        names = {name: attributes[number].value.Value.Value for name, number in _NAMES.items()}
        return {"NodeId": root, **names}

    def _reached(self, above: ua.NodeId) -> Iterator[ua.NodeId]:
        for reference in self._aspace[above].references:
            identity = reference.NodeId
            if reference.IsForward and str(identity.Identifier).startswith(self._prefix):
                yield identity
                yield from self._reached(identity)


def _own_attributes(identity: ua.NodeId, data: NodeData) -> dict[ua.AttributeIds, AttributeValue]:
    value = ua.DataValue(ua.Variant(identity, ua.VariantType.NodeId))
    own = {ua.AttributeIds.NodeId: AttributeValue(value)}
    if (shown := data.attributes.get(ua.AttributeIds.Value)) is not None:
        own[ua.AttributeIds.Value] = AttributeValue(shown.value)
    return own


def _changed(reference: ua.ReferenceDescription, changes: _Changes) -> ua.ReferenceDescription:
    """Return a reference to the copy of its target; one to a node outside is shared."""
    change = changes.get(reference.NodeId)
    return reference if change is None else replace(reference, **change)
