"""The data for one picture of the live screen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meltwatch_chassis.run_state import RunState
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.wording import age_text

from meltwatch_local_cluster.domain.observed_run import ObservedFurnace, ObservedRun
from meltwatch_local_cluster.ports import RunScenario

HEARTBEAT_LIMIT_S: Final = 15.0
"""Three heartbeats are missing."""


@dataclass(frozen=True)
class RunSnapshot:
    """A run at one moment.

    Attributes
    ----------
    state
        Addresses and services.
    scenario
        What is streamed.
    run
        What the topics said.
    counters
        ``skipped`` and ``duplicates`` of the stream processor, and ``unreadable`` records.
    now_ns
        Wall clock, ns UTC.
    problem
        Why the figures are out of date, or None.
    irregularities
        Irregularities by furnace and kind.
    """

    state: RunState
    scenario: RunScenario
    run: ObservedRun
    counters: Mapping[str, int]
    now_ns: int
    problem: str | None = None
    irregularities: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Seconds of streaming."""
        return (self.now_ns - self.scenario.origin_ns) / 1e9

    @property
    def silence_s(self) -> float:
        """Seconds since the alarm manager's last sign of life, or since the start without one."""
        heartbeat = self.run.heartbeat
        if heartbeat is None:
            return self.elapsed_s
        return (self.now_ns - ns_from_utc(heartbeat.at)) / 1e9

    @property
    def is_stale(self) -> bool:
        """Tell whether the alarm manager is silent, so that its alarms may be out of date."""
        return self.silence_s > HEARTBEAT_LIMIT_S

    def age_s(self, furnace: ObservedFurnace) -> float | None:
        """Seconds since the end of a furnace's newest window, None before the first."""
        newest = furnace.newest
        return None if newest is None else (self.now_ns - newest.window_end_ns) / 1e9

    def standing_s(self, alarm: AlarmRecord) -> float:
        """Seconds since an alarm was raised."""
        return (self.now_ns - ns_from_utc(alarm.raise_time or alarm.condition_time)) / 1e9


def watch_text(snapshot: RunSnapshot) -> tuple[str, bool]:
    """Say how many furnaces are watched and blind, or that the alarms are old; and if all is well.

    Without this, an empty list would read as a plant without alarms.
    """
    if snapshot.is_stale:
        return f"old: nothing heard for {age_text(snapshot.silence_s)}", False
    heartbeat = snapshot.run.heartbeat
    if heartbeat is None or heartbeat.watched is None:
        return "nobody says how many are watched", True
    blind = heartbeat.blind or 0
    return f"{heartbeat.watched} watched, {blind} blind", blind == 0
