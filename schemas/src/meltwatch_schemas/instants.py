"""Instants: nanoseconds since 1970 in programs, RFC 3339 UTC with microseconds in JSON."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(2300, 1, 1, tzinfo=UTC)
"""Beyond all nanoseconds that 64 bits hold, with room for delays."""

_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (2**63, 1))
"""A number below the first is a time since 1970 of so many ns: seconds until the year 5138."""


def utc_from_ns(time_ns: int) -> datetime:
    """Return an instant as datetime, rounded down to microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def ns_from_utc(instant: datetime) -> int:
    """Return a datetime as ns UTC, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def rfc3339(instant: datetime) -> str:
    """Return RFC 3339 UTC text with microseconds and ``Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ns_from_number(number: float) -> int:
    """Return a time since 1970 as ns UTC; its size tells whether it is s, ms, µs or ns.

    Raises
    ------
    ValueError
        If no time can be meant, now or within this century.
    """
    if math.isfinite(number):
        for below, unit_ns in _UNITS:
            if 0 <= number < below:
                return int(number * unit_ns)
    raise ValueError(f"expected a time since 1970, got {number:.6g}")


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
