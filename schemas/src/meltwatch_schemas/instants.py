"""Instants: nanoseconds since 1970 in programs, RFC 3339 UTC with microseconds in JSON."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(2300, 1, 1, tzinfo=UTC)
"""Beyond all nanoseconds that 64 bits hold, with room for delays."""


def utc_from_ns(time_ns: int) -> datetime:
    """Return an instant as datetime, rounded down to microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def ns_from_utc(instant: datetime) -> int:
    """Return a datetime as ns UTC, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def rfc3339(instant: datetime) -> str:
    """Return RFC 3339 UTC text with microseconds and ``Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bounded(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {instant.isoformat()!r}")
    # Before it is turned into UTC, which the first and last days of the calendar do not survive.
    if not _EPOCH <= instant < _END:
        raise ValueError(f"expected a time from 1970 to 2299, got {instant.isoformat()!r}")
    return instant.astimezone(UTC)


UtcTime = Annotated[
    datetime, AfterValidator(_bounded), PlainSerializer(rfc3339, return_type=str, when_used="json")
]
