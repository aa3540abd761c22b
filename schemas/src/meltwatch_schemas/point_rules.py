"""What this version can do for an alarm point: one rule for the topic and for plant.yaml."""

from collections.abc import Iterator
from typing import Final

from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.bounds import MAX_TEXT
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import is_path, split_alarm_id
from meltwatch_schemas.outside import FurnaceStateWord
from meltwatch_schemas.record import RawRecord, header
from meltwatch_schemas.text import escaped

_BY: Final = "change.by"
_WHY: Final = "change.why"
MAX_VOTES: Final = 1000
"""Longest memory of k of n, in windows: 24 minutes."""
PROCESS: Final = "process"
CURRENT_IMBALANCE: Final = "CURRENT_IMBALANCE"
"""The process condition that a rule judges, without any model."""
NOVELTY: Final = "NOVELTY"
"""The process condition that a furnace's portrait judges, without any model."""
SYSTEM_CONDITIONS: Final = frozenset(
    (
        *("VIDEO_LOST", "CURRENT_LOST", "CLOCK_FAULT", "SCORING_LOST", "SYNC_SKEW"),
        *("FURNACE_SILENT", "PLANT_BLIND", "TRITON_DOWN", "HISTORY_GAP", "FOREIGN_WRITER"),
        *("SETPOINT_FOREIGN", "PORTRAIT_STALE", "ALARM_PIPELINE_DOWN"),
        *("NOTIFY_SILENT", "SCADA_SILENT"),
    )
)
"""Conditions that are about the system itself; every other one is judged by the logit."""
WITHOUT_SCORE: Final = SYSTEM_CONDITIONS | {CURRENT_IMBALANCE, NOVELTY}
"""Conditions to which a threshold on the score means nothing."""


def check_point(point: AlarmPoint) -> AlarmPoint:
    """Return an alarm point unchanged if the alarm manager can work by it.

    Raises
    ------
    ContractViolation
        If its id is not its furnace and condition, if nothing would judge it, if it tells an
        operator nothing, or if it asks for too long a memory or a suppression that cannot be. The
        detail begins with the setting's name.
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
    _check_thresholds(point)
    if (point.setpoint.n or 0) > MAX_VOTES:
        raise violation(f"setpoint.n: expected at most {MAX_VOTES}, got {point.setpoint.n}")
    if point.highly_managed and not (point.approved_by and point.approved_at):
        raise violation(
            "approved_by: expected who approved it, and approved_at, for what is highly managed"
        )
    _check_suppression(point)
    _check_prepared(point)
    return point


def _check_thresholds(point: AlarmPoint) -> None:
    setpoint, condition = point.setpoint, point.condition
    if (condition == CURRENT_IMBALANCE) != (setpoint.imbalance_on is not None):
        raise violation(
            f"setpoint: expected imbalance_on and imbalance_off for {CURRENT_IMBALANCE}, "
            f"and for nothing else, got {setpoint.imbalance_on} for {condition}"
        )
    if condition == NOVELTY and setpoint.novelty_on is None:
        raise violation(
            f"setpoint: expected novelty_on and novelty_off for {NOVELTY}, got none; no threshold "
            "is right for every furnace: 'meltwatch alarms setpoint --of novelty' finds this one's"
        )
    if condition != NOVELTY and setpoint.novelty_on is not None:
        raise violation(
            f"setpoint: expected novelty_on and novelty_off for {NOVELTY} alone, "
            f"got {setpoint.novelty_on} for {condition}"
        )


def _check_prepared(point: AlarmPoint) -> None:
    prepared = point.prepared
    if prepared is None:
        return
    if point.condition in WITHOUT_SCORE:
        raise violation(f"prepared: expected none, no ensemble judges {point.condition}")
    if point.setpoint_digest is None or point.setpoint_digest == prepared.setpoint_digest:
        raise violation(
            "setpoint_digest: expected another ensemble than that of the prepared set-point, "
            f"got {point.setpoint_digest}"
        )
    if prepared.setpoint.imbalance_on is not None:
        raise violation("prepared: expected thresholds on the score, got imbalance_on")
    if (prepared.setpoint.n or 0) > MAX_VOTES:
        raise violation(f"prepared: expected n of at most {MAX_VOTES}, got {prepared.setpoint.n}")


def _check_suppression(point: AlarmPoint) -> None:
    words = [word.value for word in FurnaceStateWord]
    unknown = [word for word in point.suppress_when if word not in words]
    if unknown:
        raise violation(f"suppress_when: expected some of {', '.join(words)}, got {unknown[0]!r}")
    parent = point.masked_by
    if parent is not None and (parent == point.alarm_id or not _is_alarm_id(parent)):
        raise violation(f"masked_by: expected the id of another alarm, got {parent!r}")
    if point.re_alarm_count_max is not None and point.re_alarm_s is None:
        raise violation("re_alarm_count_max: expected re_alarm_s beside it, got none")


def _is_alarm_id(text: str) -> bool:
    return "/" in text and is_path(text)


def who_and_why_headers(who: str, why: str) -> Iterator[tuple[str, bytes]]:
    """Yield the headers that say by whom a record was written, and why.

    A tombstone that takes an alarm point back has them, and so has a portrait that is published
    or retired.
    """
    yield _BY, who.encode()
    yield _WHY, why.encode()


def who_and_why(record: RawRecord) -> tuple[str | None, str | None]:
    """Return by whom a record was written, and why, as far as its headers say so."""
    by, why = (header(record.headers, name) for name in (_BY, _WHY))
    return by and escaped(by)[:MAX_TEXT], why and escaped(why)[:MAX_TEXT]
