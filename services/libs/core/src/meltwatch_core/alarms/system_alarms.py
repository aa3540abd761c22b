"""The alarms about the system itself: what raises each, what masks it, what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from meltwatch_schemas import identifiers
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.reasons import UNTIMELY, Reason
from meltwatch_schemas.score_topics import GapCause, HistoryGap

SYSTEM: Final = "system"
VIDEO_LOST: Final = "VIDEO_LOST"
CURRENT_LOST: Final = "CURRENT_LOST"
CLOCK_FAULT: Final = "CLOCK_FAULT"
SCORING_LOST: Final = "SCORING_LOST"
SYNC_SKEW: Final = "SYNC_SKEW"
SETPOINT_FOREIGN: Final = "SETPOINT_FOREIGN"
PORTRAIT_STALE: Final = "PORTRAIT_STALE"
FURNACE_SILENT: Final = "FURNACE_SILENT"
PLANT_BLIND: Final = "PLANT_BLIND"
TRITON_DOWN: Final = "TRITON_DOWN"
HISTORY_GAP: Final = "HISTORY_GAP"
FOREIGN_WRITER: Final = "FOREIGN_WRITER"
NOTIFY_SILENT: Final = "NOTIFY_SILENT"
SCADA_SILENT: Final = "SCADA_SILENT"

_UNUSED_THRESHOLD: Final = 0.0
_LONGEST_LEVEL: Final = 64


class JudgedBy(Enum):
    """What raises and clears a system alarm.

    Attributes
    ----------
    SCORES
        A word of a score, or whose it is; in event time, alike live and replayed.
    CLOCK The manager's wall clock; a replay has none of these. REPORT
        A part of the manager saw it happen; it clears when that was long ago.
    """

    SCORES = auto()
    CLOCK = auto()
    REPORT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAlarm:
    """One kind of system alarm.

    Attributes
    ----------
    judge
        What raises and clears it.
    words
        Among a score's ``reasons``, each speaks for raising; a score without any for clearing.
    masked_by
        Conditions of the furnace or the plant under which it is not announced.
    title, causes, consequence_if_no_action, operator_action, time_to_respond_s, priority, audible
        As in the alarm point. ``{furnace}`` in the action stands for the furnace's id.
    on_delay_s, off_delay_s
        How long it must have been so, or not have been so, without a break.
    """

    judge: JudgedBy
    words: frozenset[Reason] = frozenset()
    masked_by: tuple[str, ...] = ()
    title: str
    causes: tuple[str, ...]
    consequence_if_no_action: str
    operator_action: str
    time_to_respond_s: float
    priority: Priority
    audible: bool = True
    on_delay_s: float = 20.0
    off_delay_s: float = 20.0


FURNACE_ALARMS: Final[Mapping[str, SystemAlarm]] = {
    VIDEO_LOST: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset(
            {
                Reason.NO_VIDEO,
                Reason.LOW_VIDEO_COVERAGE,
                Reason.FROZEN_VIDEO,
                Reason.BLACK_VIDEO,
                Reason.SATURATED_VIDEO,
                Reason.BEHIND_VIDEO,
            }
        ),
        masked_by=(FURNACE_SILENT, PLANT_BLIND),
        title="Picture missing or not to be trusted",
        causes=(
            "camera, its power or its network is away",
            "the gateway repeats its last picture",
            "lens covered, shutter closed, or glare",
        ),
        consequence_if_no_action="The furnace is judged by its currents alone.",
        operator_action="Look at the furnace in person; have camera and gateway checked.",
        time_to_respond_s=1800,
        priority=Priority.LOW,
    ),
    CURRENT_LOST: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset(
            {
                Reason.NO_CURRENT,
                Reason.LOW_CURRENT_COVERAGE,
                Reason.STUCK_CURRENT,
                Reason.CLIPPED_CURRENT,
                Reason.LOST_PHASE,
                Reason.BEHIND_CURRENT,
            }
        ),
        masked_by=(FURNACE_SILENT, PLANT_BLIND),
        title="Electrode currents missing or not to be trusted",
        causes=(
            "meter, its cable or its network is away",
            "the gateway repeats its last value",
            "range of a current transformer is too small",
        ),
        consequence_if_no_action="The furnace is judged by its picture alone.",
        operator_action="Read the currents at the panel; have meter and gateway checked.",
        time_to_respond_s=1800,
        priority=Priority.LOW,
    ),
    CLOCK_FAULT: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset(
            {
                Reason.CLOCK_STEP_VIDEO,
                Reason.CLOCK_STEP_CURRENT,
                Reason.FROZEN_CLOCK_VIDEO,
                Reason.FROZEN_CLOCK_CURRENT,
                *UNTIMELY,
            }
        ),
        masked_by=(PLANT_BLIND,),
        title="Clock of camera or meter is wrong",
        causes=(
            "camera, meter or gateway has lost its time server",
            "a clock was set by hand",
            "records are delivered too late",
        ),
        consequence_if_no_action="Records fall into the wrong windows or into none.",
        operator_action="Have the clocks of camera, meter and gateways checked (NTP, PTP).",
        time_to_respond_s=1800,
        priority=Priority.LOW,
    ),
    SCORING_LOST: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset(
            {
                Reason.MODEL_UNAVAILABLE,
                Reason.SCORING_REJECTED,
                Reason.OVERLOAD,
                Reason.SCORING_LAG,
            }
        ),
        masked_by=(TRITON_DOWN, PLANT_BLIND),
        title="Furnace gets no verdict, or gets it late",
        causes=(
            "no Triton server answers",
            "Triton has too little power for all furnaces",
            "the model refuses the windows of this furnace",
        ),
        consequence_if_no_action="Overheating is not told, or told late.",
        operator_action="Watch the furnace in person; have the Triton servers checked.",
        time_to_respond_s=600,
        priority=Priority.MEDIUM,
    ),
    SYNC_SKEW: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset({Reason.SYNC_SKEW}),
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
    SETPOINT_FOREIGN: SystemAlarm(
        judge=JudgedBy.SCORES,
        title="Set-point was made for another model",
        causes=("another ensemble is served", "the alarm point names an old ensemble"),
        consequence_if_no_action="The threshold may be too high or too low for these verdicts.",
        operator_action="Have the set-point made anew (meltwatch alarms setpoint), or serve the "
        "ensemble that it names.",
        time_to_respond_s=1800,
        priority=Priority.LOW,
    ),
    PORTRAIT_STALE: SystemAlarm(
        judge=JudgedBy.SCORES,
        words=frozenset({Reason.PORTRAIT_STALE}),
        title="Portrait fits no more",
        causes=(
            "camera moved, its lens dirty, or its colours set anew",
            "the furnace is run in another way than while the portrait was made",
            "another encoder is in use",
        ),
        consequence_if_no_action="NOVELTY is not judged: what no model was taught goes unseen.",
        operator_action="Look at camera and furnace. If nothing is wrong, have a new portrait "
        "made: meltwatch portrait fit --furnace {furnace} --from -24h --publish",
        time_to_respond_s=1800,
        priority=Priority.LOW,
        audible=False,
        # One window in seven is judged: at the limit the word comes and goes.
        off_delay_s=120.0,
    ),
    FURNACE_SILENT: SystemAlarm(
        judge=JudgedBy.CLOCK,
        masked_by=(PLANT_BLIND,),
        title="Furnace is silent",
        causes=(
            "camera and meter or their gateway are away",
            "the stream processor of this furnace does not run",
            "the clocks of its sources are wrong by more than a minute",
        ),
        consequence_if_no_action="Nobody watches the furnace; overheating is not told.",
        operator_action="Watch the furnace in person; have its sources and the stream processors "
        "checked. If it is out of use, set its state to off or maintenance.",
        time_to_respond_s=600,
        priority=Priority.MEDIUM,
    ),
}
"""System alarms of every furnace by condition."""

PLANT_ALARMS: Final[Mapping[str, SystemAlarm]] = {
    PLANT_BLIND: SystemAlarm(
        judge=JudgedBy.CLOCK,
        title="Plant is blind",
        causes=(
            "the stream processors or Triton do not run",
            "the plant's network or its gateways are away",
        ),
        consequence_if_no_action="Half of the furnaces or more are not watched.",
        operator_action="Watch the furnaces in person; call whoever runs Meltwatch.",
        time_to_respond_s=300,
        priority=Priority.HIGH,
    ),
    TRITON_DOWN: SystemAlarm(
        judge=JudgedBy.CLOCK,
        masked_by=(PLANT_BLIND,),
        title="Triton gives no verdicts",
        causes=(
            "the Triton servers are away or overloaded",
            "the model is not loaded or refuses every window",
        ),
        consequence_if_no_action="Half of the furnaces or more get no verdict, or get it late.",
        operator_action="Watch the furnaces in person; have the Triton servers checked.",
        time_to_respond_s=300,
        priority=Priority.HIGH,
    ),
    NOTIFY_SILENT: SystemAlarm(
        judge=JudgedBy.CLOCK,
        title="Notify gateway is silent",
        causes=(
            "the notify gateway does not run, or cannot reach Kafka",
            "none of its channels works",
        ),
        consequence_if_no_action="Nobody is told of alarms by mail, chat or SMS.",
        operator_action="Watch the alarm list in person; tell who relies on messages; have the "
        "gateway and its channels checked. If it is gone for good, decommission this alarm.",
        time_to_respond_s=600,
        priority=Priority.HIGH,
        on_delay_s=45.0,  # longer than a restart
    ),
    SCADA_SILENT: SystemAlarm(
        judge=JudgedBy.CLOCK,
        title="SCADA adapter is silent",
        causes=("the SCADA adapter does not run, or cannot reach Kafka",),
        consequence_if_no_action="The SCADA system shows no new alarm, and its operators can "
        "acknowledge none.",
        operator_action="Watch the alarm list of Meltwatch; have the SCADA adapter checked. If it "
        "is gone for good, decommission this alarm.",
        time_to_respond_s=600,
        priority=Priority.HIGH,
        on_delay_s=45.0,  # longer than a restart
    ),
    HISTORY_GAP: SystemAlarm(
        judge=JudgedBy.REPORT,
        title="Records were lost before they were read",
        causes=(
            "a service was away for longer than a topic keeps its records",
            "somebody moved the committed offsets of the stream processor",
            "a topic was deleted and made again",
        ),
        consequence_if_no_action="Windows or alarms of that time are missing.",
        operator_action="Look into the furnaces' past by hand; have the retention of the topics "
        "made longer; find out who changed topics or offsets.",
        time_to_respond_s=1800,
        priority=Priority.LOW,
        on_delay_s=0.0,
        off_delay_s=600.0,
    ),
    FOREIGN_WRITER: SystemAlarm(
        judge=JudgedBy.REPORT,
        title="Somebody else writes alarms",
        causes=(
            "a second installation uses the same topic prefix",
            "a program or a person writes to topics that are the alarm manager's alone",
        ),
        consequence_if_no_action="Alarms may be forged, hidden or overwritten.",
        operator_action="Trust no alarm that you cannot confirm; find out who writes, and close "
        "the topics by ACLs.",
        time_to_respond_s=300,
        priority=Priority.HIGH,
        on_delay_s=0.0,
        off_delay_s=600.0,
    ),
}
"""System alarms of the plant as a whole by condition; their equipment is the topic prefix."""

SYSTEM_ALARMS: Final[Mapping[str, SystemAlarm]] = {**FURNACE_ALARMS, **PLANT_ALARMS}
"""All of them."""
MASKS: Final = frozenset(name for alarm in SYSTEM_ALARMS.values() for name in alarm.masked_by)
"""Conditions that mask others."""


def system_alarm_of(point: AlarmPoint) -> SystemAlarm | None:
    """Return which kind of system alarm a point is, if any."""
    return SYSTEM_ALARMS.get(point.condition)


def words_of(point: AlarmPoint) -> frozenset[Reason] | None:
    """Return the words that speak for an alarm point; None if it is not judged by words."""
    alarm = system_alarm_of(point)
    return None if alarm is None or not alarm.words else alarm.words


def is_by_clock(alarm_id: str) -> bool:
    """Tell whether the manager's clock or a report raises an alarm: a replay knows none of it."""
    alarm = SYSTEM_ALARMS.get(alarm_id.rpartition("/")[2])
    return alarm is not None and alarm.judge is not JudgedBy.SCORES


def is_by_scores(point: AlarmPoint) -> bool:
    """Tell whether scores raise and clear an alarm point: by their logit or as a system alarm."""
    alarm = system_alarm_of(point)
    return alarm.judge is JudgedBy.SCORES if alarm else point.class_ != SYSTEM


def gap_text(gap: HistoryGap) -> str:
    """Say for a person what a stream processor never read."""
    many = "records" if gap.records is None else f"{gap.records} records"
    match gap.cause:
        case GapCause.MOVED:
            return f"{many} were passed over unread, somebody moved the committed offset"
        case GapCause.RETENTION:
            return f"{many} were deleted before they were read"
        case GapCause.REPLACED:
            return "the topic was made again, what it held unread is lost"
        case _:
            return f"{many} were never read ({gap.cause})"


def plant_equipment(prefix: str) -> str:
    """Return the equipment path of plant-wide alarms: the topic prefix as one level."""
    return prefix[:_LONGEST_LEVEL]


def parents(equipment: str, condition: str, plant: str) -> tuple[str, ...]:
    """Return the alarm ids under which an alarm is not announced.

    Parameters
    ----------
    equipment, condition
        Whose, and what is judged.
    plant
        Equipment path of the plant-wide alarms.
    """
    alarm = SYSTEM_ALARMS.get(condition)
    names = alarm.masked_by if alarm else ()
    return tuple(f"{plant if name in PLANT_ALARMS else equipment}/{name}" for name in names)


def parents_of(point: AlarmPoint, plant: str) -> tuple[str, ...]:
    """Return the alarm ids under which an alarm is not announced, its point's own included."""
    own = () if point.masked_by is None else (point.masked_by,)
    return (*parents(point.equipment_path, point.condition, plant), *own)


def system_points(equipment: str, alarms: Mapping[str, SystemAlarm]) -> tuple[AlarmPoint, ...]:
    """Return the alarm points of a furnace's or the plant's system alarms.

    A furnace id may be so long that the name of an alarm does not fit behind it.
    """
    fitting = (name for name in alarms if identifiers.is_path(f"{equipment}/{name}"))
    return tuple(_point(equipment, name, alarms[name]) for name in fitting)


def _point(equipment: str, condition: str, alarm: SystemAlarm) -> AlarmPoint:
    return AlarmPoint.model_validate(
        {
            "alarm_id": identifiers.alarm_id(equipment, condition),
            "equipment_path": equipment,
            "title": alarm.title,
            "condition": condition,
            "class": SYSTEM,
            "priority": alarm.priority,
            "causes": alarm.causes,
            "consequence_if_no_action": alarm.consequence_if_no_action,
            "operator_action": alarm.operator_action.replace("{furnace}", equipment),
            "time_to_respond_s": alarm.time_to_respond_s,
            "audible": alarm.audible,
            "setpoint": Setpoint(
                logit_on=_UNUSED_THRESHOLD,
                logit_off=_UNUSED_THRESHOLD,
                on_delay_s=alarm.on_delay_s,
                off_delay_s=alarm.off_delay_s,
            ),
            "setpoint_basis": "delays alone count; thresholds are not used",
        }
    )
