"""What an adapter knows of the plant: its alarms, its alarm points, and whether anybody judges.

Pure: fold the records of the topics into it in whatever order and number they come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_list import is_newer
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.record import RawRecord, read_json

MANAGER: Final = "alarm_manager"
STALE_AFTER_S: Final = 15.0
"""Three heartbeats of the alarm manager, which writes one every 5 s (docs/scada.md)."""
HELD_S: Final = 60.0
"""What topics that are read anew do not have is held for so long."""
MAX_ALARMS: Final = 100_000


@dataclass(frozen=True, slots=True)
class AlarmTurn:
    """One change of an alarm, as the alarms topic has told it.

    Attributes
    ----------
    alarm_id
        Which alarm.
    before
        What was known of it; None if nothing.
    after
        What is known now; None if it was decommissioned.
    """

    alarm_id: str
    before: AlarmRecord | None
    after: AlarmRecord | None


@dataclass(slots=True)
class _Entry:
    record: AlarmRecord | None = None
    newest: AlarmRecord | None = None  # also of an alarm that was decommissioned
    newest_at: int = -1
    removed_at: int = -1


class AlarmBoard:
    """The current alarm of each alarm id.

    A record counts if its ``(epoch, seq)`` is greater than any before it of the same alarm: so
    duplicates, reordering and a manager of an older epoch change nothing. A tombstone has neither;
    it counts where it stands in the topic.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._alarms: dict[str, AlarmRecord] = {}

    @property
    def alarms(self) -> Mapping[str, AlarmRecord]:
        """The newest record of each alarm, normal ones too."""
        return MappingProxyType(self._alarms)

    def take(self, raw: RawRecord) -> AlarmTurn | None:
        """Fold one record of the alarms topic.

        Returns
        -------
        What changed, or None: it is old, or of a replay.

        Raises
        ------
        ContractViolation
            If it is no record of an alarm, or one alarm too many.
        """
        alarm_id = alarm_id_of(raw.key)
        record = None if raw.value is None else read_json(raw, AlarmRecord)
        if record is not None and record.run_id is not None:
            return None
        entry = self._entry(alarm_id)
        before = entry.record
        if record is None:
            entry.removed_at = max(entry.removed_at, raw.offset)
            if raw.offset < entry.newest_at:
                return None
            entry.record = None
            self._alarms.pop(alarm_id, None)
            return None if before is None else AlarmTurn(alarm_id, before, None)
        if not is_newer(record, entry.newest):
            return None
        entry.newest, entry.newest_at = record, raw.offset
        if raw.offset < entry.removed_at:
            return None
        entry.record = self._alarms[alarm_id] = record
        return AlarmTurn(alarm_id, before, record)

    def _entry(self, alarm_id: str) -> _Entry:
        if alarm_id not in self._entries and len(self._entries) >= MAX_ALARMS:
            raise violation(f"expected at most {MAX_ALARMS} alarms, got a further one: {alarm_id}")
        return self._entries.setdefault(alarm_id, _Entry())


@dataclass(slots=True)
class PointBoard:
    """The alarm points that somebody has written.

    Attributes
    ----------
    points
        By alarm id.
    """

    points: dict[str, AlarmPoint] = field(default_factory=dict)
    _offsets: dict[str, int] = field(default_factory=dict)

    def take(self, raw: RawRecord) -> str | None:
        """Fold one record of the topic alarm-points; return the alarm id of one that changed.

        Raises
        ------
        ContractViolation
            If it is no alarm point, or one too many.
        """
        alarm_id = alarm_id_of(raw.key)
        if alarm_id not in self._offsets and len(self._offsets) >= MAX_ALARMS:
            raise violation(f"expected at most {MAX_ALARMS} alarm points, got one more: {alarm_id}")
        point = None if raw.value is None else read_json(raw, AlarmPoint)
        if raw.offset <= self._offsets.get(alarm_id, -1):
            return None
        self._offsets[alarm_id] = raw.offset
        if point is None:
            self.points.pop(alarm_id, None)
        else:
            self.points[alarm_id] = point
        return alarm_id


class Pulse:
    """Whether the alarm manager lives, by its heartbeats.

    Parameters
    ----------
    now_s
        Monotonic seconds: from here on silence counts.

    Attributes
    ----------
    newest
        The newest heartbeat; None before the first.
    """

    def __init__(self, now_s: float) -> None:
        self._heard_s = now_s
        self.newest: Heartbeat | None = None

    def take(self, raw: RawRecord, now_s: float) -> bool:
        """Note a heartbeat; return whether it counts: not one of others, or of an older epoch.

        Raises
        ------
        ContractViolation
            If it is no heartbeat.
        """
        beat = read_json(raw, Heartbeat)
        is_stale = self.newest is not None and beat.epoch < self.newest.epoch
        if beat.service != MANAGER or is_stale:
            return False
        self.newest, self._heard_s = beat, now_s
        return True

    def forget(self) -> None:
        """Let any epoch count again: the topics were made again. Silence goes on."""
        self.newest = None

    def silent_s(self, now_s: float) -> float:
        """Return since when nothing was heard, seconds."""
        return now_s - self._heard_s


class HeldAlarms:
    """What was known before topics were read anew, and is not in them now.

    It is held for a minute: the alarm manager may write it again. What it has not written then is
    gone.
    """

    def __init__(self) -> None:
        self._alarms: dict[str, AlarmRecord] = {}
        self._points: set[str] = set()
        self._since_s: float | None = None

    def keep(self, board: AlarmBoard, points: PointBoard) -> None:
        """Hold all that is known, because the topics are read anew."""
        self._alarms |= board.alarms
        self._points |= points.points.keys()
        self._since_s = None

    def seen(self, turn: AlarmTurn) -> AlarmTurn | None:
        """Return what a turn changes of what was known before; None if nothing."""
        before = self._alarms.pop(turn.alarm_id, turn.before)
        return None if turn.after == before else AlarmTurn(turn.alarm_id, before, turn.after)

    def gone(
        self, points: PointBoard, now_s: float, *, is_live: bool
    ) -> tuple[list[AlarmTurn], list[str]]:
        """Return the end of alarms, and the ids of alarm points, that nobody has written again.

        Parameters
        ----------
        points
            What is known now.
        now_s
            Monotonic seconds.
        is_live
            The topics are read to their end, and the manager lives: only then time counts.
        """
        self._since_s = (self._since_s or now_s) if is_live else None
        if self._since_s is None or now_s - self._since_s < HELD_S:
            return [], []
        turns = [AlarmTurn(each, record, None) for each, record in self._alarms.items()]
        names = sorted(self._points - points.points.keys())
        self._alarms, self._points = {}, set()
        return turns, names
