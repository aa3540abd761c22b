"""The alarm points of a furnace for which nobody has written any, one of each built-in class."""

from collections.abc import Mapping
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmPoint, Priority
from meltwatch_schemas.default_setpoint import BASIS, DEFAULT_SETPOINT, MODEL_DIGEST
from meltwatch_schemas.identifiers import check_alarm_id, is_path

OVERHEAT: Final = "OVERHEAT"
OF_CLASS: Final = "alarm_class"
"""The field of an alarm point that names its class."""


def built_in() -> dict[str, Mapping[str, Any] | None]:
    """Return the classes that every installation has, by name.

    No file may write one of these names anew: it would mean something else elsewhere.
    """
    return {"overheat": _overheat()}


def _overheat() -> dict[str, Any]:
    return {
        "title": "Furnace overheating",
        "condition": OVERHEAT,
        "priority": Priority.HIGH.value,
        "causes": [
            "electrode too deep or arc unstable",
            "charge bridged or lining worn",
            "cooling circuit disturbed",
        ],
        "consequence_if_no_action": "Lining and crucible are damaged; melt may break out.",
        "operator_action": "Look at the furnace; reduce power; check electrodes and cooling.",
        "time_to_respond_s": 600,
        "setpoint": DEFAULT_SETPOINT.model_dump(exclude_none=True),
        "setpoint_basis": BASIS,
        "setpoint_digest": MODEL_DIGEST,
    }


def default_points(equipment: str) -> tuple[AlarmPoint, ...]:
    """Return the alarm points of a furnace for which nobody has written any.

    Raises
    ------
    ContractViolation
        If the furnace's id leaves no room for the name of the first.
    """
    check_alarm_id(f"{equipment}/{OVERHEAT}")
    entries = [
        derived({**(shared or {}), OF_CLASS: name}, equipment)
        for name, shared in built_in().items()
    ]
    # A furnace id may be so long that the name of a further alarm does not fit behind it.
    fitting = (entry for entry in entries if is_path(entry["alarm_id"]))
    return tuple(AlarmPoint.model_validate(entry) for entry in fitting)


def derived(entry: dict[str, Any], equipment: Any) -> dict[str, Any]:
    """Return an entry with its furnace and its id, where they follow from the rest."""
    if equipment is not None:
        entry.setdefault("equipment_path", equipment)
    whose, condition = entry.get("equipment_path"), entry.get("condition")
    if isinstance(whose, str) and isinstance(condition, str):
        entry.setdefault("alarm_id", f"{whose}/{condition}")
    return entry
