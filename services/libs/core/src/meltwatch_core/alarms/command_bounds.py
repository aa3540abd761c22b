"""How long the texts of a command may be, and how far its durations reach.

They end in alarm records: what is longer could make one that no reader takes, and what cannot be
printed would show a person something that nobody wrote.
"""

from collections.abc import Iterator
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmCommand
from meltwatch_schemas.text import escaped, is_printable

MAX_USER: Final = 64
MAX_COMMENT: Final = 1_000
MAX_TEXT: Final = 2_000
MAX_DURATION_S: Final = 31 * 24 * 3600
_SHOWN: Final = 80


def bounds_fault(command: AlarmCommand) -> str | None:
    """Return what of a command lies beyond its bounds, if anything."""
    faults = (
        _text_fault("user", command.user, MAX_USER, shortest=1),
        _text_fault("comment", command.comment, MAX_COMMENT),
        _text_fault("expected_event_id", command.expected_event_id, MAX_TEXT),
        *(_text_fault(name, text, MAX_TEXT) for name, text in _texts(command.arguments)),
        _duration_fault(command.arguments),
    )
    return next((fault for fault in faults if fault is not None), None)


def shown(value: object) -> str:
    """Return a value as one bounded line for a person."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a whole number of {value.bit_length()} bits"
    return escaped(repr(value[:_SHOWN] if isinstance(value, str) else value))[: 2 * _SHOWN]


def _text_fault(name: str, text: object, longest: int, shortest: int = 0) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        return f"{name}: expected text, got {shown(text)}"
    if not shortest <= len(text) <= longest:
        return f"{name}: expected {shortest}..{longest} characters, got {len(text)}"
    return None if is_printable(text) else f"{name}: expected printable text, got {shown(text)}"


def _texts(value: Any, name: str = "arguments") -> Iterator[tuple[str, str]]:
    """Yield every text within arguments; their nesting was bounded when they were read."""
    if isinstance(value, str):
        yield escaped(name)[:_SHOWN], value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield "arguments", key
            yield from _texts(part, f"{name}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, name)


def _duration_fault(arguments: dict[str, Any]) -> str | None:
    if "duration_s" not in arguments:
        return None
    duration_s = arguments["duration_s"]
    is_number = isinstance(duration_s, int | float) and not isinstance(duration_s, bool)
    if is_number and 0 <= duration_s <= MAX_DURATION_S:
        return None
    return f"duration_s: expected seconds within 0..{MAX_DURATION_S}, got {shown(duration_s)}"
