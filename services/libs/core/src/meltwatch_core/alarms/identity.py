"""Ids that anybody can compute again from a record's own fields."""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from meltwatch_schemas.alarm import rfc3339

_NAMESPACE: Final = UUID("7c0b7a52-8a3e-5d0c-9f5b-2f0d3c1f6a10")


def occurrence_id(alarm_id: str, condition_time: datetime, run_id: str | None) -> str:
    """Return the UUIDv5 of one activation: the same data gives the same id on reprocessing."""
    name = f"{alarm_id}|{rfc3339(condition_time)}|{run_id or ''}"
    return str(uuid5(_NAMESPACE, name))


def event_id(alarm_id: str, epoch: int, seq: int) -> str:
    """Return 32 hex digits, unique per record: first 16 bytes of SHA-256 of ``id|epoch|seq``."""
    return hashlib.sha256(f"{alarm_id}|{epoch}|{seq}".encode()).digest()[:16].hex()
