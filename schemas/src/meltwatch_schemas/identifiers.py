"""Furnace and alarm ids: paths of ISA-95 levels, used as Kafka key, Redis key and label alike."""

import re
from functools import lru_cache
from typing import Final

from meltwatch_schemas.errors import violation

MAX_BYTES: Final = 200
_LEVEL: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BOOT_ID: Final = re.compile(r"[0-9a-f]{16}")


def is_path(text: str) -> bool:
    """Tell whether text is a path of levels ``[A-Za-z0-9._-]{1,64}``, none ``.`` or ``..``."""
    return len(text) <= MAX_BYTES and _has_levels(text)


@lru_cache(maxsize=16_384)
def _has_levels(text: str) -> bool:
    return all(_LEVEL.fullmatch(level) and level not in (".", "..") for level in text.split("/"))


def check_furnace_id(text: str) -> str:
    """Return a valid furnace id unchanged.

    Raises
    ------
    ContractViolation
        If it is not a path of levels of at most 200 bytes.
    """
    if not is_path(text):
        raise violation(
            f"furnace id: expected levels of [A-Za-z0-9._-]{{1,64}} joined by '/', "
            f"at most {MAX_BYTES} bytes, got {text[:80]!r}"
        )
    return text


def check_alarm_id(text: str) -> str:
    """Return a valid alarm id, ``<furnace id>/<CONDITION>``, unchanged.

    Raises
    ------
    ContractViolation
        If it is not a path of at least two levels.
    """
    if "/" not in text or not is_path(text):
        raise violation(f"alarm id: expected '<furnace id>/<CONDITION>', got {text[:80]!r}")
    return text


def alarm_id_of(key: bytes | None) -> str:
    """Return the alarm id in a record's key.

    Raises
    ------
    ContractViolation
        If it is none.
    """
    try:
        return check_alarm_id((key or b"").decode())
    except UnicodeDecodeError as error:
        raise violation(f"key: expected an alarm id in UTF-8, got {key!r}"[:300]) from error


def check_boot_id(text: str) -> str:
    """Return a valid boot id, 16 lower-case hexadecimal digits, unchanged.

    Raises
    ------
    ContractViolation
        If it has another form.
    """
    if not _BOOT_ID.fullmatch(text):
        raise violation(f"boot_id: expected 16 hex digits, got {text[:80]!r}")
    return text


def alarm_id(furnace_id: str, condition: str) -> str:
    """Return the id of a furnace's alarm, e.g. ``site/area/FMF-03/OVERHEAT``."""
    return check_alarm_id(f"{furnace_id}/{condition}")


def split_alarm_id(text: str) -> tuple[str, str]:
    """Return the furnace id and the condition of an alarm id."""
    furnace_id, _, condition = check_alarm_id(text).rpartition("/")
    return furnace_id, condition
