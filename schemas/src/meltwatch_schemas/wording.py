"""How things are worded for a terminal: a symbol and a word, never colour alone."""

from datetime import UTC, datetime, tzinfo
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from meltwatch_schemas.alarm import AlarmRecord, Evidence, Priority

PRIORITY_SHAPES: Final = {
    Priority.CRITICAL: "◆",
    Priority.HIGH: "▲",
    Priority.MEDIUM: "■",
    Priority.LOW: "●",
    Priority.JOURNAL: "·",
}
"""One shape a priority, as the console has them: the word beside it is the state."""

SERVICE_SYMBOLS: Final = {
    "ready": "●",
    "starting": "◌",
    "degraded": "◐",
    "down": "✖",
    "stopped": "○",
}
"""One symbol a state of a process; others get ``?``."""

_THIRDS: Final = (("upper", "middle", "lower"), ("left", "middle", "right"))
_PATCHES: Final = 8
"""Of a picture, in one direction."""


def state_text(alarm: AlarmRecord) -> str:
    """Return the shape of an alarm's priority and the mnemonic of its state, e.g. ``▲ UNACK``."""
    return f"{PRIORITY_SHAPES[alarm.priority]} {alarm.state}"


def service_text(state: str) -> str:
    """Return the state of a process as symbol and word, e.g. ``● ready``."""
    return f"{SERVICE_SYMBOLS.get(state, '?')} {state}"


def clock_text(instant: datetime) -> str:
    """Return the time of day in UTC, e.g. ``12:34:05Z``."""
    return f"{instant:%H:%M:%S}Z"


def day_and_clock(instant: datetime) -> str:
    """Return day and time in UTC, e.g. ``2026-11-22 12:34:05Z``."""
    return f"{instant:%Y-%m-%d} {clock_text(instant)}"


def zone_named(name: str | None) -> ZoneInfo | None:
    """Return the time zone of an IANA name; None where it names none that is known here."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def plant_time(instant: datetime, zone: tzinfo | None = None) -> str:
    """Return day and time with zone, e.g. ``2026-11-22 20:34:05+08:00``.

    Parameters
    ----------
    instant
        When.
    zone
        The plant's; None for that of this machine.
    """
    try:
        local = instant.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        local = instant.astimezone(UTC)  # in this zone the instant would be outside the calendar
    return local.isoformat(" ", "seconds")


def age_text(seconds: float) -> str:
    """Return a time span in at most six characters, e.g. ``1.2 s``, ``42 s``, ``7 min``, ``3 h``.

    Days from the third one on.
    """
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def place_text(down: float, across: float) -> str:
    """Return where a point of the picture lies, by thirds, e.g. ``upper left``.

    Parameters
    ----------
    down, across
        Shares of height and width, 0..1, from the upper left on.
    """
    places = zip(_THIRDS, (down, across), strict=True)
    return " ".join(dict.fromkeys(words[min(int(3 * share), 2)] for words, share in places))


def patch_text(row: int, column: int) -> str:
    """Return where a patch of the picture lies, 0..7 from the upper left on, as ``place_text``."""
    return place_text((row + 0.5) / _PATCHES, (column + 0.5) / _PATCHES)


def surprise_text(evidence: Evidence) -> str:
    """Return how unlike its portrait a furnace is, e.g. ``picture 3.41 (upper left)``."""
    found = evidence.novelty
    if found is None or found.video is found.current is None:
        return "unknown"
    parts = []
    if found.video is not None:
        where = ""
        if found.row is not None and found.column is not None:
            where = f" ({patch_text(found.row, found.column)})"
        parts.append(f"picture {found.video:.2f}{where}")
    if found.current is not None:
        parts.append(f"currents {found.current:.2f}")
    return ", ".join(parts)


def transition_line(record: AlarmRecord) -> str:
    """Return one line that says what happened to an alarm, when, and why."""
    change = record.transition
    by = f" by {change.by}" if change.by else ""
    comment = f" ({change.comment})" if change.comment else ""
    return (
        f"{day_and_clock(record.times.published)}  {state_text(record):<7}  "
        f"{record.priority:<8}  {record.alarm_id}  "
        f"{change.cause} from {change.from_}{by}{comment}: {record.message}"
    )


def shortened(text: str, width: int) -> str:
    """Return the beginning of a text in at most so many characters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def without_password(address: str) -> str:
    """Return a URL fit for a screen: a password in it is replaced by ``***``."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))
