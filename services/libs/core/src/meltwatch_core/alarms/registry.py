"""All alarms of a manager, each with the alarm point that is in force for it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.locale import Locale

from meltwatch_core.alarms.alarm import (
    Alarm,
    Calm,
    ReceivedScore,
    is_end,
    judged_until,
    restore,
)
from meltwatch_core.alarms.points import MasterAlarmList, point_of


class AlarmRegistry:
    """Alarms by id.

    Parameters
    ----------
    master_list
        Says which alarm points there are.
    """

    def __init__(self, master_list: MasterAlarmList) -> None:
        self._master_list = master_list
        self._alarms: dict[str, Alarm] = {}
        self._active: dict[str, None] = {}
        self._shelved: dict[str, None] = {}
        self._recorded: dict[str, None] = {}
        self._stirred: dict[str, None] = {}
        self._calm: dict[str, Calm] = {}
        self._before: dict[str, Alarm | None] = {}
        self._ended_at: dict[str, datetime] = {}

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Restore every alarm as it was before, if what is done in the block fails."""
        self._before.clear()
        try:
            yield
        except BaseException:
            for alarm_id, alarm in list(self._before.items()):
                if alarm is None:
                    self.forget(alarm_id)
                else:
                    self.put(alarm)
            raise

    def of(self, furnace_id: str) -> list[Alarm]:
        """Return the alarms of a furnace, one for each of its alarm points."""
        unregistered = not self._master_list.is_registered(furnace_id)
        points = self._master_list.of(furnace_id).values()
        return [self._under(point, unregistered) for point in points]

    def stirred_by(self, received: ReceivedScore) -> Iterator[Alarm]:
        """Yield the furnace's alarms that a score may change; the others hear of it in the end."""
        furnace_id = received.score.furnace_id
        unregistered = not self._master_list.is_registered(furnace_id)
        calm: list[tuple[Calm, float]] = []
        for point in self._master_list.points(furnace_id).by_scores:
            known = self._calm.get(point.alarm_id)
            if known is None or known.point is not point:
                yield self._under(point, unregistered)
                continue
            level = known.reading(received)
            if known.is_stirred(level, received):
                yield self._under(point, unregistered)
            elif level is not None and not known.knows(received):
                calm.append((known, level))
        for known, level in calm:
            known.heard = received.score.window_end_ns, level, received.position

    def hear_ensemble(self, furnace_id: str, digest: str) -> bool:
        """Note who judges a furnace now; tell whether other set-points are in force by that."""
        return self._master_list.hear_ensemble(furnace_id, digest)

    def is_foreign(self, furnace_id: str, digest: str) -> bool:
        """Tell whether a set-point of a furnace was made for another ensemble than this one."""
        return not self._master_list.points(furnace_id).digests <= {digest}

    def stirred(self) -> list[Alarm]:
        """Return the alarms that are not calm, if the master alarm list still has their points."""
        known = [self._alarms[alarm_id].point for alarm_id in self._stirred]
        found = (self.alarm(point.equipment_path, point.alarm_id) for point in known)
        return [alarm for alarm in found if alarm is not None]

    def _under(self, point: AlarmPoint, unregistered: bool) -> Alarm:
        alarm = self.last_known(point.alarm_id)
        if alarm is None:
            return self._new(point, unregistered)
        if alarm.point is point and alarm.unregistered == unregistered:
            return alarm
        return replace(alarm, point=point, unregistered=unregistered)

    def _new(self, point: AlarmPoint, unregistered: bool) -> Alarm:
        ended_at = self._ended_at.get(point.alarm_id)
        return Alarm(point, unregistered, locale=self._master_list.locale, ended_at=ended_at)

    def alarm(self, furnace_id: str, alarm_id: str) -> Alarm | None:
        """Return an alarm of a furnace by its id, if the master alarm list has a point for it."""
        point = self._master_list.of(furnace_id).get(alarm_id)
        if point is None:
            return None
        return self._under(point, not self._master_list.is_registered(furnace_id))

    @property
    def locale(self) -> Locale:
        """How the plant's people read."""
        return self._master_list.locale

    def active(self) -> list[Alarm]:
        """Return the alarms whose condition holds, in the order in which they began."""
        return [self._current(alarm_id) for alarm_id in self._active]

    def shelved(self) -> list[Alarm]:
        """Return the alarms that are shelved, in the order in which they were."""
        return [self._current(alarm_id) for alarm_id in self._shelved]

    def _current(self, alarm_id: str) -> Alarm:
        """Return an alarm under the alarm point of now, if the master alarm list still has one."""
        known = self._alarms[alarm_id]
        return self.alarm(known.point.equipment_path, alarm_id) or known

    def is_active(self, alarm_id: str) -> bool:
        """Tell whether the condition of an alarm holds."""
        return alarm_id in self._active

    def find(self, alarm_id: str) -> Alarm | None:
        """Return an alarm that was judged or raised, or whose alarm point somebody has written."""
        known = self.last_known(alarm_id)
        if known is None and not self._master_list.names(alarm_id):
            return None
        furnace_id, _ = split_alarm_id(alarm_id)
        current = {alarm.point.alarm_id: alarm for alarm in self.of(furnace_id)}
        return current.get(alarm_id, known)

    def put(self, alarm: Alarm) -> None:
        """Replace an alarm by its newer version."""
        alarm_id = alarm.point.alarm_id
        self._before.setdefault(alarm_id, self.last_known(alarm_id))
        self._alarms[alarm_id] = alarm
        if is_calm := alarm.is_calm:
            self._calm[alarm_id] = Calm.of(alarm)
        else:
            self._calm.pop(alarm_id, None)
        record = alarm.record
        _list(self._stirred, alarm_id, belongs=not is_calm)
        _list(self._recorded, alarm_id, belongs=record is not None)
        _list(self._active, alarm_id, belongs=record is not None and record.active)
        is_shelved = record is not None and record.shelve is not None
        _list(self._shelved, alarm_id, belongs=is_shelved)

    def restore(self, record: AlarmRecord) -> None:
        """Take over one more record of the alarms topic, in its order."""
        known = self.find(record.alarm_id)
        if known is None:
            points = self._master_list.of(record.equipment_path)
            point = points.get(record.alarm_id) or point_of(record)
            known = self._new(point, record.unregistered)
        self.put(restore(known, record))

    def last_known(self, alarm_id: str) -> Alarm | None:
        """Return an alarm as it was last kept, whatever the master alarm list says now."""
        calm, alarm = self._calm.get(alarm_id), self._alarms.get(alarm_id)
        if alarm is not None and calm is not None and calm.heard is not None:
            alarm = self._alarms[alarm_id] = calm.part_of(alarm)
        return alarm

    def forget(self, alarm_id: str) -> None:
        """Take over a tombstone: of this alarm there is no record any more."""
        alarm = self._alarms.pop(alarm_id, None)
        if alarm is not None and alarm.record is not None and is_end(alarm.record):
            ended_at = judged_until(alarm.record)
            if ended_at is not None:
                self._ended_at[alarm_id] = ended_at
        self._calm.pop(alarm_id, None)
        for names in (self._active, self._shelved, self._recorded, self._stirred):
            names.pop(alarm_id, None)

    def point(self, alarm_id: str) -> AlarmPoint | None:
        """Return the alarm point in force for an alarm, if there is one."""
        furnace_id, _ = split_alarm_id(alarm_id)
        return self._master_list.of(furnace_id).get(alarm_id)

    def override(self, alarm_id: str, point: AlarmPoint | None) -> None:
        """Change the master alarm list; None takes an override back."""
        self._master_list.override(alarm_id, point)

    def records(self) -> Iterable[AlarmRecord]:
        """Return the last record of every alarm that has one."""
        found = (self._alarms[alarm_id].record for alarm_id in self._recorded)
        return (record for record in found if record is not None)


def _list(names: dict[str, None], alarm_id: str, *, belongs: bool) -> None:
    """Put a name on a list at its end, or take it off."""
    if belongs:
        names.setdefault(alarm_id)
    else:
        names.pop(alarm_id, None)
