"""Looks through an OPC UA server for what may be the currents of a furnace."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from asyncua import Client, Node, ua

from meltwatch_sources.adapters.opcua import ANSWER_S, OpcUaPlace
from meltwatch_sources.adapters.opcua_login import log_in
from meltwatch_sources.credentials import redacted
from meltwatch_sources.ports import SourceLost

_MOST_NODES: Final = 5_000
_DEEPEST: Final = 10
_MOST_FOUND: Final = 200
_LOOK_S: Final = 25.0
_NAME: Final = re.compile(
    r"current|amp[eè]re|strom|电流|電流|(?<![A-Za-z])I[_.]?(L?[123]|[ABCRSTUVW])(?![a-z0-9])",
    re.IGNORECASE,
)
_UNITS: Final = frozenset({"A", "kA", "mA"})


@dataclass(frozen=True, slots=True)
class CurrentNode:
    """A variable that may be a current.

    Attributes
    ----------
    node
        As ``nodes`` of the plant file name it.
    name
        As the server says it.
    value
        Its present one.
    unit
        As the server says it; empty if it does not.
    """

    node: str
    name: str
    value: float
    unit: str = ""


async def browse_currents(place: OpcUaPlace) -> tuple[list[CurrentNode], bool]:
    """Return what may be currents, and whether all of the server was looked at.

    Parameters
    ----------
    place
        Where the server is; its nodes are not asked for.

    Raises
    ------
    SourceLost
        If no session can be had.
    """
    found: list[CurrentNode] = []
    try:
        async with _session(place) as client:
            names = await client.get_namespace_array()
            is_whole = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    is_whole = await _look_through(client, names, found)
            return found, is_whole
    except SourceLost:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a server makes of this library
        said = redacted(str(error) or type(error).__name__, place.login)
        raise SourceLost(f"expected an OPC UA session, got {said}") from None


@asynccontextmanager
async def _session(place: OpcUaPlace) -> AsyncIterator[Client]:
    client = Client(place.url, timeout=ANSWER_S)
    await log_in(client, place.login, place.security.mode)
    async with client:
        yield client


async def _look_through(client: Client, names: list[str], found: list[CurrentNode]) -> bool:
    """Look at one node after the other, breadth first; a server may go round in circles."""
    waiting: deque[tuple[Node, int]] = deque([(client.nodes.objects, 0)])
    seen = {client.nodes.objects.nodeid}
    while waiting:
        node, depth = waiting.popleft()
        for child in await node.get_children_descriptions():
            if len(seen) >= _MOST_NODES or len(found) >= _MOST_FOUND:
                return False
            place = ua.NodeId(
                child.NodeId.Identifier, child.NodeId.NamespaceIndex, child.NodeId.NodeIdType
            )
            # The server's own variables stand in namespace 0.
            if place in seen or (depth == 0 and place.NamespaceIndex == 0):
                continue
            seen.add(place)
            if depth < _DEEPEST:
                waiting.append((client.get_node(place), depth + 1))
            if child.NodeClass == ua.NodeClass.Variable:
                found += await _current(client.get_node(place), child, names)
    return True


async def _current(node: Node, told: Any, names: list[str]) -> list[CurrentNode]:
    name = str(told.DisplayName.Text or told.BrowseName.Name or "")
    unit = await _unit(node)
    if not _NAME.search(name) and unit not in _UNITS:
        return []
    try:
        value = await node.read_value()
    except ua.UaError:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    index = node.nodeid.NamespaceIndex
    if not 0 <= index < len(names):
        return []
    identifier = node.nodeid.to_string().rpartition("ns=")[2].partition(";")[2]
    return [CurrentNode(f"nsu={names[index]};{identifier}", name, float(value), unit)]


async def _unit(node: Node) -> str:
    try:
        (unit,) = [
            await each.read_value()
            for each in await node.get_properties()
            if (await each.read_browse_name()).Name == "EngineeringUnits"
        ]
    except (ua.UaError, ValueError):
        return ""
    shown = getattr(getattr(unit, "DisplayName", None), "Text", None)
    return str(shown or "")
