"""How people say "since when" and "how long"."""

import re
from datetime import UTC, datetime
from typing import Final

from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import INT64_MAX, NS_PER_S

from meltwatch_chassis.errors import ConfigurationError

_AGO: Final = re.compile(r"-?(?P<count>\d{1,9})(?P<unit>[smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment_ns(text: str, now_ns: int) -> int:
    """Return the instant that a text means, ns UTC, from the Unix epoch to what 64 bits hold.

    Parameters
    ----------
    text
        ``now``, or ``90s``, ``10m``, ``2h`` or ``1d`` ago (a minus before it changes nothing), or
        an RFC 3339 time with its zone.
    now_ns
        Wall clock, ns UTC.

    Raises
    ------
    ConfigurationError
        If it is neither.
    """
    if text == "now":
        return now_ns
    if match := _AGO.fullmatch(text):
        return max(now_ns - int(match["count"]) * _UNIT_S[match["unit"]] * NS_PER_S, 0)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ConfigurationError(
            f"expected 90s, 10m, 2h, 1d, now or an RFC 3339 time with zone, got {text!r}"
        )
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise ConfigurationError(f"expected a time from year 1 to 9999 UTC, got {text!r}") from None
    return min(max(ns_from_utc(instant), 0), INT64_MAX)


def duration_s(text: str) -> float:
    """Return the seconds that a text means: ``90s``, ``10m``, ``2h`` or ``1d``.

    Raises
    ------
    ConfigurationError
        If it is none, or no time at all.
    """
    match = _AGO.fullmatch(text)
    if match is None or text.startswith("-") or int(match["count"]) == 0:
        raise ConfigurationError(f"expected 90s, 10m, 2h or 1d, got {text!r}")
    return float(int(match["count"]) * _UNIT_S[match["unit"]])
