"""Whether those who tell people of alarms are there, by their heartbeats.

Only who was there can be missed: an adapter that was never heard raises nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.alarm_board import MANAGER, STALE_AFTER_S
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.system_alarms import NOTIFY_SILENT, SCADA_SILENT
from meltwatch_core.alarms.watch import Level

ADAPTERS: Final[Mapping[str, tuple[str, ...]]] = {
    NOTIFY_SILENT: ("notify_gateway",),
    SCADA_SILENT: ("opcua", "sparkplug"),
}
"""By the condition that is raised, the names under which adapters give signs of life."""
_NAMES: Final = frozenset(name for names in ADAPTERS.values() for name in names)
_STALE_NS: Final = round(STALE_AFTER_S * NS_PER_S)


def adapter_of(record: RawRecord) -> str | None:
    """Return which adapter a record of the heartbeats is of; None if it is of nobody we know."""
    try:
        service = read_json(record, Heartbeat).service
    except ContractViolation:
        return None
    return service if service != MANAGER and service in _NAMES else None


class AdapterWatch:
    """When each adapter was last heard, by the manager's wall clock, ns UTC."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}

    def hear(self, name: str, now_ns: int) -> None:
        """Take a sign of life."""
        self._heard[name] = now_ns

    def forget(self, condition: str) -> None:
        """Expect the adapters of an alarm no more, until they are heard again."""
        for name in ADAPTERS.get(condition, ()):
            self._heard.pop(name, None)

    def levels(self, at_ns: int, reading_since_ns: int) -> Iterable[tuple[str, Level]]:
        """Yield whether somebody is silent, by condition.

        Parameters
        ----------
        at_ns
            Up to when everything was read.
        reading_since_ns
            From when on that has been so: nobody is silent for longer.
        """
        for condition, names in ADAPTERS.items():
            heard = {name: at for name in names if (at := self._heard.get(name)) is not None}
            silent = {name: at for name, at in heard.items() if at_ns - at >= _STALE_NS}
            if silent:
                since_ns = max(min(silent.values()), reading_since_ns)
                yield condition, Level(True, since_ns, f"no sign of life of {', '.join(silent)}")
            elif heard:
                yield condition, Level(False, at_ns, "signs of life again")
