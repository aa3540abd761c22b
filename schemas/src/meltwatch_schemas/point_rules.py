"""What this version can do for an alarm point: one rule for the topic and for plant.yaml."""

from typing import Final

from meltwatch_schemas.alarm import AlarmPoint
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import split_alarm_id

MAX_VOTES: Final = 1000
"""Longest memory of k of n, in windows: 24 minutes."""
PROCESS: Final = "process"
CURRENT_IMBALANCE: Final = "CURRENT_IMBALANCE"
"""The process condition that a rule judges, without any model."""
SYSTEM_CONDITIONS: Final = frozenset(
    (
        *("VIDEO_LOST", "CURRENT_LOST", "CLOCK_FAULT", "SCORING_LOST", "SYNC_SKEW"),
        *("FURNACE_SILENT", "PLANT_BLIND", "TRITON_DOWN", "HISTORY_GAP", "FOREIGN_WRITER"),
        *("SETPOINT_FOREIGN", "ALARM_PIPELINE_DOWN"),
    )
)
"""Conditions that are about the system itself; every other one is judged by the logit."""
NOT_SUPPORTED: Final = "not supported by this version"
UNSUPPORTED: Final = (
    "re_alarm_s",
    "shelvable",
    "suppress_when",
    "masked_by",
)
"""Settings for features that do not exist yet: only their defaults are accepted."""


def unsupported_setting(point: AlarmPoint) -> str | None:
    """Return the first setting that asks for what this version does not do, None if all is well."""
    fields = AlarmPoint.model_fields
    return next(
        (
            name
            for name in UNSUPPORTED
            if getattr(point, name) != fields[name].get_default(call_default_factory=True)
        ),
        None,
    )


def check_point(point: AlarmPoint) -> AlarmPoint:
    """Return an alarm point unchanged if the alarm manager can work by it.

    Raises
    ------
    ContractViolation
        If its id is not its furnace and condition, if nothing would judge it, if it tells an
        operator nothing, or if it asks for too long a memory or for something that this version
        does not do. The detail begins with the setting's name.
    """
    furnace_id, condition = split_alarm_id(point.alarm_id)
    if (point.equipment_path, point.condition) != (furnace_id, condition):
        raise violation(
            f"alarm_id: expected {point.equipment_path}/{point.condition}, got {point.alarm_id}"
        )
    if point.class_ != PROCESS and condition not in SYSTEM_CONDITIONS:
        raise violation(
            f"class: expected {PROCESS}, or nothing would judge {condition}, got {point.class_}"
        )
    for name in ("title", "consequence_if_no_action", "operator_action"):
        if not getattr(point, name).strip():
            raise violation(f"{name}: expected words for the operator, got none")
    if (condition == CURRENT_IMBALANCE) != (point.setpoint.imbalance_on is not None):
        raise violation(
            f"setpoint: expected imbalance_on and imbalance_off for {CURRENT_IMBALANCE}, "
            f"and for nothing else, got {point.setpoint.imbalance_on} for {condition}"
        )
    if (point.setpoint.n or 0) > MAX_VOTES:
        raise violation(f"setpoint.n: expected at most {MAX_VOTES}, got {point.setpoint.n}")
    if point.highly_managed and not (point.approved_by and point.approved_at):
        raise violation(
            "approved_by: expected who approved it, and approved_at, for what is highly managed"
        )
    setting = unsupported_setting(point)
    if setting is not None:
        raise violation(
            f"{setting}: {NOT_SUPPORTED}, got {getattr(point, setting)!r}; leave it out"
        )
    return point
