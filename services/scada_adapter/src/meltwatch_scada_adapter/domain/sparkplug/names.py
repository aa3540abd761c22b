"""Topics of an edge node, and what furnaces are called in them."""

import re
from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "spBv1.0"
LONGEST: Final = 64
_LEVEL: Final = ":"
"""Parts the levels of a furnace id: no level holds one, and no topic minds it."""
_FORBIDDEN: Final = re.compile(r"[/+#]")


@dataclass(frozen=True, slots=True)
class NodeNames:
    """Who the edge node is.

    Attributes
    ----------
    group, edge
        Its ids.
    host
        Id of the primary host that it waits for; None if it waits for none.
    """

    group: str
    edge: str
    host: str | None = None

    def topic(self, kind: str, equipment: str | None = None) -> str:
        """Return the topic of a kind of message, of the node itself or of a device."""
        of_node = f"{NAMESPACE}/{self.group}/{kind}/{self.edge}"
        return of_node if equipment is None else f"{of_node}/{device_of(equipment)}"

    @property
    def state_topic(self) -> str | None:
        """Where the primary host says whether it is there."""
        return None if self.host is None else f"{NAMESPACE}/STATE/{self.host}"

    @property
    def filters(self) -> tuple[str, ...]:
        """What the edge node listens to."""
        commands = (self.topic("NCMD"), self.topic("DCMD") + "/+")
        return commands if self.state_topic is None else (*commands, self.state_topic)

    def equipment_of(self, topic: str) -> str | None:
        """Return whose command a topic holds; None if it is no device's."""
        prefix = self.topic("DCMD") + "/"
        return topic.removeprefix(prefix).replace(_LEVEL, "/") if topic.startswith(prefix) else None


def device_of(equipment: str) -> str:
    """Return the device id of a furnace, or of the plant as a whole."""
    return equipment.replace("/", _LEVEL)


def check_id(text: str) -> str:
    """Return an id that may stand in a topic.

    Raises
    ------
    ValueError
        If it may not.
    """
    if not 0 < len(text) <= LONGEST or _FORBIDDEN.search(text):
        raise ValueError(f"expected 1 to {LONGEST} characters without / + #")
    return text
