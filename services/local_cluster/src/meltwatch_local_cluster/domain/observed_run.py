"""What the topics of a run have said so far: bounded, and free of clock and Kafka."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Heartbeat
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.score import WindowScore

from meltwatch_local_cluster.domain.counts import Latencies
from meltwatch_local_cluster.domain.fault_matching import Raise

MAX_FURNACES: Final = 1_000
MAX_ALARMS: Final = 10_000
MAX_RAISES: Final = 100_000
ALARM_MANAGER: Final = "alarm_manager"
RECENT_WINDOWS: Final = 120
WARM_UP_S: Final = 10
"""In a furnace's first live seconds latencies show how long starting takes. Windows of that time
count as windows, but in no latency."""
_WARM_UP_NS: Final = WARM_UP_S * 1_000_000_000


@dataclass
class ObservedFurnace:
    """What is known of one furnace.

    Attributes
    ----------
    furnace_id
        Its id.
    newest
        Its newest verdict, None before the first.
    live_from_ns
        Windows that end later are live: both the run and the furnace's producers had begun. Records
        of the time before are back-fill, whose latency means nothing.
    live
        Live windows by status.
    recent
        Probabilities of the newest windows, oldest first; None where unscored.
    """

    furnace_id: str
    newest: WindowScore | None = None
    live_from_ns: int | None = None
    live: Counter[str] = field(default_factory=Counter)
    recent: deque[float | None] = field(default_factory=lambda: deque(maxlen=RECENT_WINDOWS))


class ObservedRun:
    """Folds scores, alarms, heartbeats and refused records since a run began.

    What was published before, by an earlier run on the same broker, and what a replay published
    is left out.

    Parameters
    ----------
    simulated
        Ids of the furnaces that the run simulates.
    origin_ns
        When the run began to stream, ns UTC.
    """

    def __init__(self, simulated: Sequence[str], origin_ns: int) -> None:
        self.simulated = tuple(simulated)
        self.origin_ns = origin_ns
        self.furnaces = {furnace_id: ObservedFurnace(furnace_id) for furnace_id in simulated}
        self.alarms: dict[str, AlarmRecord] = {}
        self.raises: deque[Raise] = deque(maxlen=MAX_RAISES)
        self.backfill: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.late = 0
        self.event_to_score = Latencies()
        self.event_to_alarm = Latencies()
        self.heartbeat: Heartbeat | None = None

    @property
    def live(self) -> Counter[str]:
        """Live windows of all furnaces by status."""
        return sum((furnace.live for furnace in self.furnaces.values()), Counter())

    def add_score(self, score: WindowScore) -> bool:
        """Note a verdict; return whether it was new."""
        furnace = self._furnace(score.furnace_id)
        if furnace is None or score.run_id or score.times.published_ns < self.origin_ns:
            return False
        if furnace.newest is not None and score.window_end_ns <= furnace.newest.window_end_ns:
            return False
        if furnace.live_from_ns is None:
            furnace.live_from_ns = max(self.origin_ns, score.times.last_ingest_ns)
        furnace.newest = score
        furnace.recent.append(score.probability)
        if score.window_end_ns > furnace.live_from_ns:
            furnace.live[score.status.value] += 1
            if score.window_end_ns > furnace.live_from_ns + _WARM_UP_NS:
                self.event_to_score.add_ns(score.times.published_ns - score.window_end_ns)
        else:
            self.backfill[score.status.value] += 1
        return True

    def add_alarm(self, record: AlarmRecord) -> bool:
        """Note a transition; return whether it was new."""
        last = self.alarms.get(record.alarm_id)
        published_ns = ns_from_utc(record.times.published)
        if record.run_id or published_ns < self.origin_ns:
            return False
        if last is None and len(self.alarms) >= MAX_ALARMS:
            return False
        if last is not None and (record.epoch, record.seq) <= (last.epoch, last.seq):
            return False
        self.alarms[record.alarm_id] = record
        if _is_raise(record, last):
            self._add_raise(record, published_ns)
        return True

    def add_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Note a heartbeat of the alarm manager; those of others are ignored."""
        if heartbeat.service == ALARM_MANAGER:
            self.heartbeat = heartbeat

    def standing_alarms(self) -> list[AlarmRecord]:
        """Return the alarms that are not normal, in no order."""
        return [record for record in self.alarms.values() if record.state is not AlarmState.NORM]

    def _furnace(self, furnace_id: str) -> ObservedFurnace | None:
        if furnace_id not in self.furnaces and len(self.furnaces) < MAX_FURNACES:
            self.furnaces[furnace_id] = ObservedFurnace(furnace_id)
        return self.furnaces.get(furnace_id)

    def _add_raise(self, record: AlarmRecord, published_ns: int) -> None:
        raise_ns = ns_from_utc(record.raise_time or record.condition_time)
        self.raises.append(Raise(record.equipment_path, record.alarm_id, raise_ns))
        if raise_ns > self.origin_ns + _WARM_UP_NS:
            self.event_to_alarm.add_ns(published_ns - raise_ns)


def _is_raise(record: AlarmRecord, last: AlarmRecord | None) -> bool:
    """Tell a new occurrence of a process alarm from a repeated annunciation of the same one."""
    return (
        record.state is AlarmState.UNACK
        and record.class_ == "process"
        and (last is None or last.occurrence_id != record.occurrence_id)
    )
