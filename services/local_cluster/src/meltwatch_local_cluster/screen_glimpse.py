"""What one picture of the live screen is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meltwatch_chassis.run_state import RunState
from meltwatch_schemas.alarm import AlarmRecord, ns_from_utc

from meltwatch_local_cluster.domain.observed_run import ObservedFurnace, ObservedRun
from meltwatch_local_cluster.ports import Scenario


@dataclass(frozen=True)
class Glimpse:
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
        Why the figures grow old, None when they do not.
    irregularities
        What was not as it should be, by furnace and kind.
    """

    state: RunState
    scenario: Scenario
    run: ObservedRun
    counters: Mapping[str, int]
    now_ns: int
    problem: str | None = None
    irregularities: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Seconds of streaming."""
        return (self.now_ns - self.scenario.origin_ns) / 1e9

    def age_s(self, furnace: ObservedFurnace) -> float | None:
        """Seconds since the end of a furnace's newest window, None before the first."""
        newest = furnace.newest
        return None if newest is None else (self.now_ns - newest.window_end_ns) / 1e9

    def standing_s(self, alarm: AlarmRecord) -> float:
        """Seconds since an alarm was raised."""
        return (self.now_ns - ns_from_utc(alarm.raise_time or alarm.condition_time)) / 1e9
