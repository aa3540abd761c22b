"""The master alarm list: which alarm points a furnace has, and where each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.alarm import AlarmPoint, AlarmRecord, Priority, Setpoint
from meltwatch_schemas.default_setpoint import BASIS, DEFAULT_SETPOINT
from meltwatch_schemas.identifiers import alarm_id, split_alarm_id

OVERHEAT: Final = "OVERHEAT"
PROCESS: Final = "process"
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAlarm:
    """An alarm about the system itself: it stands while scores name one of its words.

    Attributes
    ----------
    words
        Among a score's ``reasons``, each speaks for raising; a score without any for clearing.
    title, causes, consequence_if_no_action, operator_action, time_to_respond_s, priority
        As in the alarm point.
    on_delay_s, off_delay_s
        How long the words must have been there, or not have been there, without a break.
    """

    words: frozenset[str]
    title: str
    causes: tuple[str, ...]
    consequence_if_no_action: str
    operator_action: str
    time_to_respond_s: float
    priority: Priority
    on_delay_s: float
    off_delay_s: float


SYSTEM_ALARMS: Final[Mapping[str, SystemAlarm]] = {
    "SYNC_SKEW": SystemAlarm(
        words=frozenset({"sync_skew"}),
        title="Clocks of camera and meter disagree",
        causes=(
            "camera, meter or gateway has lost its time server",
            "a clock was set by hand",
            "a buffer between camera and gateway has grown",
        ),
        consequence_if_no_action="Video and current of different instants are judged together; "
        "faults may be seen late or not at all.",
        operator_action="Have the clocks of camera, meter and gateways checked (NTP, PTP).",
        time_to_respond_s=1800,
        priority=Priority.LOW,
        on_delay_s=15.0,
        # Longer than a stream processor that was restarted needs for its next estimate.
        off_delay_s=720.0,
    ),
}
"""System alarms of every furnace by condition."""
_UNUSED_THRESHOLD: Final = 0.0


def words_of(point: AlarmPoint) -> frozenset[str] | None:
    """Return the words that speak for an alarm point; None if it is judged by the logit."""
    alarm = SYSTEM_ALARMS.get(point.condition)
    return None if alarm is None else alarm.words


def system_points(furnace_id: str) -> tuple[AlarmPoint, ...]:
    """Return the system alarm points that every furnace has."""
    return tuple(
        AlarmPoint.model_validate(
            {
                "alarm_id": alarm_id(furnace_id, condition),
                "equipment_path": furnace_id,
                "title": alarm.title,
                "condition": condition,
                "class": SYSTEM,
                "priority": alarm.priority,
                "causes": alarm.causes,
                "consequence_if_no_action": alarm.consequence_if_no_action,
                "operator_action": alarm.operator_action,
                "time_to_respond_s": alarm.time_to_respond_s,
                "setpoint": Setpoint(
                    logit_on=_UNUSED_THRESHOLD,
                    logit_off=_UNUSED_THRESHOLD,
                    on_delay_s=alarm.on_delay_s,
                    off_delay_s=alarm.off_delay_s,
                ),
                "setpoint_basis": "a word in the scores' reasons; thresholds are not used",
            }
        )
        for condition, alarm in SYSTEM_ALARMS.items()
    )


def default_point(furnace_id: str) -> AlarmPoint:
    """Return the alarm point of a furnace for which nobody has written one."""
    return AlarmPoint.model_validate(
        {
            "alarm_id": alarm_id(furnace_id, OVERHEAT),
            "equipment_path": furnace_id,
            "title": "Furnace overheating",
            "condition": OVERHEAT,
            "priority": Priority.HIGH,
            "causes": [
                "electrode too deep or arc unstable",
                "charge bridged or lining worn",
                "cooling circuit disturbed",
            ],
            "consequence_if_no_action": "Lining and crucible are damaged; melt may break out.",
            "operator_action": "Look at the furnace; reduce power; check electrodes and cooling.",
            "time_to_respond_s": 600,
            "setpoint": DEFAULT_SETPOINT,
            "setpoint_basis": BASIS,
        }
    )


def point_of(record: AlarmRecord) -> AlarmPoint:
    """Return what a record tells of its alarm point, for one that stands in no list any more."""
    furnace_id, condition = split_alarm_id(record.alarm_id)
    return AlarmPoint.model_validate(
        {
            "alarm_id": record.alarm_id,
            "equipment_path": furnace_id,
            "title": record.title,
            "condition": condition,
            "class": record.class_,
            "priority": record.priority,
            "consequence_if_no_action": record.guidance.consequence,
            "operator_action": record.guidance.action,
            "time_to_respond_s": record.guidance.time_to_respond_s,
            "setpoint": Setpoint(
                logit_on=record.evidence.threshold, logit_off=record.evidence.threshold_off
            ),
            "revision": record.config_rev,
            "mode": record.mode,
        }
    )


class MasterAlarmList:
    """Alarm points by furnace: the topic's overrides, over the plant file, over the defaults.

    The system alarms belong to every furnace, whatever else is written for it.

    Parameters
    ----------
    plant
        Alarm points of each registered furnace; none stands for the default.
    """

    def __init__(self, plant: Mapping[str, tuple[AlarmPoint, ...]]) -> None:
        self._plant = plant
        self._overrides: dict[str, dict[str, AlarmPoint]] = {}
        self._resolved: dict[str, Mapping[str, AlarmPoint]] = {}

    def override(self, alarm_id: str, point: AlarmPoint | None) -> None:
        """Set an alarm point, or with None go back to what it was without."""
        furnace_id, _ = split_alarm_id(alarm_id)
        points = self._overrides.setdefault(furnace_id, {})
        points.pop(alarm_id, None)
        if point is not None:
            points[alarm_id] = point
        if not points:
            del self._overrides[furnace_id]
        self._resolved.pop(furnace_id, None)

    def is_registered(self, furnace_id: str) -> bool:
        """Tell whether the furnace stands in the plant file."""
        return furnace_id in self._plant

    def names(self, alarm_id: str) -> bool:
        """Tell whether somebody has written this alarm point, or registered its furnace."""
        furnace_id, _ = split_alarm_id(alarm_id)
        is_written = alarm_id in self._overrides.get(furnace_id, {})
        return is_written or (furnace_id in self._plant and alarm_id in self.of(furnace_id))

    def of(self, furnace_id: str) -> Mapping[str, AlarmPoint]:
        """Return the alarm points of a furnace by alarm id."""
        if furnace_id not in self._resolved:
            written = self._plant.get(furnace_id) or (default_point(furnace_id),)
            points = (*system_points(furnace_id), *written)
            base = {point.alarm_id: point for point in points}
            self._resolved[furnace_id] = base | self._overrides.get(furnace_id, {})
        return self._resolved[furnace_id]
