"""How people say "since when"."""

import re
from datetime import datetime
from typing import Final

from meltwatch_schemas.alarm import ns_from_utc

from meltwatch_cli.errors import BadUsage

_AGO: Final = re.compile(r"(?P<count>\d{1,9})(?P<unit>[smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment_ms(text: str, now_ns: int) -> int:
    """Return the instant that a text means, ms UTC.

    Parameters
    ----------
    text
        ``90s``, ``10m``, ``2h`` or ``1d`` ago, or an RFC 3339 time with its zone.
    now_ns
        Wall clock, ns UTC.

    Raises
    ------
    BadUsage
        If it is neither.
    """
    if match := _AGO.fullmatch(text):
        return max(now_ns // 1_000_000 - int(match["count"]) * _UNIT_S[match["unit"]] * 1000, 0)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise BadUsage(f"expected 90s, 10m, 2h, 1d or an RFC 3339 time with zone, got {text!r}")
    return max(ns_from_utc(instant) // 1_000_000, 0)
