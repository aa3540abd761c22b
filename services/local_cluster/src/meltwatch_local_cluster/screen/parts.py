"""Small pieces of the live screen: text, bars, ages, shortened ids, styles."""

from collections.abc import Sequence
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmRecord, Priority
from meltwatch_schemas.text import escaped
from rich.text import Text

HEADING: Final = "bold"
ABNORMAL: Final = "bold yellow"
QUIET: Final = "dim"

_BARS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "·"
_ALARM_STYLES: Final = {
    Priority.CRITICAL: "bold red",
    Priority.HIGH: "red",
    Priority.MEDIUM: "yellow",
    Priority.LOW: "cyan",
    Priority.JOURNAL: "",
}


class ScreenText(Text):
    """The only kind of text on the screen: it escapes whatever could control a terminal."""

    def __init__(self, text: str = "", style: str = "", **options: Any) -> None:
        super().__init__(escaped(text), style, **options)

    def append(self, text: Text | str, style: Any = None) -> Text:
        """Add text at the end, as ``Text`` does."""
        return super().append(escaped(text) if isinstance(text, str) else text, style)


def alarm_style(alarm: AlarmRecord) -> str:
    """Return the style of an alarm: its priority's colour while active, inverse while unseen."""
    style = _ALARM_STYLES[alarm.priority] if alarm.active else ""
    return f"{style} reverse".strip() if alarm.active and not alarm.acked else style


def sparkline(probabilities: Sequence[float | None], width: int) -> str:
    """Return the newest probabilities as bars of eight heights, ``·`` where there is none.

    Parameters
    ----------
    probabilities
        0..1, oldest first.
    width
        Number of characters; the newest stands rightmost.
    """
    newest = list(probabilities)[-width:] if width > 0 else []
    return "".join(_bar(value) for value in newest).rjust(width)


def _bar(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return _BARS[min(int(value * len(_BARS)), len(_BARS) - 1)]


def elapsed_text(seconds: float) -> str:
    """Return a running time as ``mm:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, second = divmod(max(int(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def shortened(path: str, width: int) -> str:
    """Return an id in at most so many characters: its last levels tell furnaces apart."""
    return path if len(path) <= width else "…" + path[len(path) - width + 1 :]


def share_text(share: float) -> str:
    """Return a share as per cent; 100 only if nothing is missing."""
    return f"{min(int(share * 100), 100)}%"


def seconds_text(value: float | None) -> str:
    """Return a latency, ``-`` without one."""
    return "-" if value is None else f"{value:.2f} s"
