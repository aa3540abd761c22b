"""Times as people give them, and as the console takes them."""

from datetime import UTC, datetime

import numpy as np

Instant = datetime | np.datetime64 | str
"""A time with a zone, a ``datetime64`` in UTC, or ISO 8601 with a zone."""


def utc_of(instant: Instant) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    ValueError
        If it has no zone, or is none.
    """
    if isinstance(instant, np.datetime64):
        return datetime.fromisoformat(f"{np.datetime_as_string(instant, unit='us')}+00:00")
    found = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    if found.tzinfo is None:
        raise ValueError(f"expected a time with a zone, e.g. 2026-11-29T14:00:00Z, got {instant!r}")
    return found.astimezone(UTC)


def ms_of(instant: Instant | None) -> int | None:
    """Return a time as ms since 1970, rounded down; None stays."""
    if instant is None:
        return None
    return us_of(utc_of(instant)) // 1000


def us_of(instant: datetime) -> int:
    """Return a time with a zone as microseconds since 1970."""
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
