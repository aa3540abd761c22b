"""The classes that every installation has, and the alarm points where nobody has written any."""

from collections.abc import Mapping
from typing import Any, Final

from meltwatch_schemas.alarm import Mode, Priority
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_setpoint import BASIS, DEFAULT_SETPOINT, MODEL_DIGEST
from meltwatch_schemas.identifiers import check_alarm_id, is_path
from meltwatch_schemas.point_rules import CURRENT_IMBALANCE, NOVELTY

OVERHEAT: Final = "OVERHEAT"
OVERHEAT_HH: Final = "OVERHEAT_HH"
_DEFAULTS: Final = ("overheat", "current_imbalance")
_SECOND_LEVEL: Final = 3.0
"""Above the first, in log-odds: e^3 is 20."""
OF_CLASS: Final = "alarm_class"
"""The field of an alarm point that names its class."""


def built_in() -> dict[str, Mapping[str, Any] | None]:
    """Return the classes that every installation has, by name.

    No file may write one of these names anew: it would mean something else elsewhere. All but
    ``novelty`` are whole: its thresholds are each furnace's own.
    """
    return {
        "overheat": _overheat(),
        "overheat_hh": _overheat_hh(),
        "current_imbalance": _current_imbalance(),
        "novelty": _novelty(),
    }


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


def _overheat_hh() -> dict[str, Any]:
    on = round(DEFAULT_SETPOINT.logit_on + _SECOND_LEVEL, 2)
    off = round(DEFAULT_SETPOINT.logit_on + 1.0, 2)
    return _overheat() | {
        "title": "Furnace overheating severely",
        "condition": OVERHEAT_HH,
        "priority": Priority.CRITICAL.value,
        "consequence_if_no_action": "Melt breaks out within minutes; people are in danger.",
        "operator_action": "Switch the furnace off; clear the platform; then look for the cause.",
        "time_to_respond_s": 150,
        "reset_required": True,
        "re_alarm_s": 300,
        "suppress_when": ["off"],
        "setpoint": DEFAULT_SETPOINT.model_copy(
            update={"logit_on": on, "logit_off": off}
        ).model_dump(exclude_none=True),
        "setpoint_basis": f"odds 20 times those of the first level, {on:g} instead of "
        f"{DEFAULT_SETPOINT.logit_on:g}; back where the fit to simulated normal operation ends. "
        "First level: " + BASIS,
    }


def _current_imbalance() -> dict[str, Any]:
    return {
        "title": "Phase currents unequal",
        "condition": CURRENT_IMBALANCE,
        "priority": Priority.MEDIUM.value,
        "causes": [
            "electrode broken, or its arc is out",
            "electrode much too deep or too high",
            "fuse, contact or current transformer of one phase faulty",
        ],
        "consequence_if_no_action": "One side of the lining is overheated; power is lost.",
        "operator_action": "Compare the three currents at the panel; trim the electrode of the "
        "phase that differs; if it is broken, stop and replace it.",
        "time_to_respond_s": 900,
        "suppress_when": ["off", "electrode_change"],
        "setpoint": {
            "logit_on": 0.0,  # not used: no model has a part in it
            "logit_off": 0.0,
            "imbalance_on": 0.25,
            "imbalance_off": 0.2,
            "on_delay_s": 10.0,
            "off_delay_s": 10.0,
        },
        "setpoint_basis": "2.7 times the largest of 240 furnace-hours of simulated operation with "
        "faults (0.093; 99.9 % below 0.078); a phase that is lost reaches it after 40 s",
    }


def _novelty() -> dict[str, Any]:
    return {
        "title": "Unlike its own normal operation",
        "condition": NOVELTY,
        "priority": Priority.LOW.value,
        "mode": Mode.ADVISORY.value,
        "audible": False,
        "causes": [
            "leak, smoke, glow or warming that no model was taught",
            "electrode broken, or its current swings",
            "camera moved, its lens dirty, or its colours set anew",
            "a way of working that is new since the portrait was made",
        ],
        "consequence_if_no_action": "A fault that no model was taught may go on unseen.",
        "operator_action": "It cannot say what is wrong. Look. If nothing is wrong, and it comes "
        "again, have a new portrait made.",
        "time_to_respond_s": 1800,
        "suppress_when": ["off", "maintenance", "electrode_change"],
        "masked_by": OVERHEAT,
        # On-delay: what stays for two judged windows. Off-delay: as long as a window looks back.
        "setpoint": {
            "logit_on": 0.0,  # not used: no model has a part in it
            "logit_off": 0.0,
            "on_delay_s": 20.0,
            "off_delay_s": 120.0,
        },
    }


def default_points(equipment: str) -> tuple[AlarmPoint, ...]:
    """Return the alarm points of a furnace for which nobody has written any: the first level.

    A second level that its first one does not make way for would announce each fault twice.

    Raises
    ------
    ContractViolation
        If the furnace's id leaves no room for the name of the first.
    """
    check_alarm_id(f"{equipment}/{OVERHEAT}")
    entries = [
        derived({**(shared or {}), OF_CLASS: name}, equipment)
        for name, shared in built_in().items()
        if name in _DEFAULTS
    ]
    # A furnace id may be so long that the name of a further alarm does not fit behind it.
    fitting = (entry for entry in entries if is_path(entry["alarm_id"]))
    return tuple(AlarmPoint.model_validate(entry) for entry in fitting)


def derived(entry: dict[str, Any], equipment: Any) -> dict[str, Any]:
    """Return an entry with its furnace, its id and its parent's, as they follow from the rest.

    A parent that is a condition alone is one of the same furnace.
    """
    if equipment is not None:
        entry.setdefault("equipment_path", equipment)
    whose, condition = entry.get("equipment_path"), entry.get("condition")
    if isinstance(whose, str) and isinstance(condition, str):
        entry.setdefault("alarm_id", f"{whose}/{condition}")
    parent = entry.get("masked_by")
    if isinstance(whose, str) and isinstance(parent, str) and "/" not in parent:
        entry["masked_by"] = f"{whose}/{parent}"
    return entry
