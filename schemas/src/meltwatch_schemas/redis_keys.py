"""Redis keys: a view that can always be rebuilt from the topics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """The keys under a prefix (the topic prefix).

    Attributes
    ----------
    prefix
        First part of each key.
    """

    prefix: str

    def alarm(self, alarm_id: str) -> str:
        """Hash: ``record`` (JSON), ``epoch``, ``seq``, ``state``, ``priority``."""
        return f"{self.prefix}:alarm:{alarm_id}"

    def furnace(self, furnace_id: str) -> str:
        """Hash: newest verdict of a furnace."""
        return f"{self.prefix}:furnace:{furnace_id}"

    @property
    def active(self) -> str:
        """Sorted set: ids of active alarms by raise time in ms."""
        return f"{self.prefix}:active"

    @property
    def unacked(self) -> str:
        """Set: ids of unacknowledged alarms."""
        return f"{self.prefix}:unacked"

    @property
    def shelved(self) -> str:
        """Sorted set: ids of shelved alarms by expiry in ms."""
        return f"{self.prefix}:shelved"

    @property
    def journal(self) -> str:
        """Stream: every transition, newest last, about 100,000 of them."""
        return f"{self.prefix}:journal"

    @property
    def furnaces(self) -> str:
        """Set: furnace ids seen."""
        return f"{self.prefix}:furnaces"

    @property
    def meta(self) -> str:
        """Hash: ``epoch``, ``offset``, ``updated_at_ns`` of the projection."""
        return f"{self.prefix}:meta"

    @property
    def changes(self) -> str:
        """Pub/sub channel: alarm ids, a hint and never the data."""
        return f"{self.prefix}:changes"
