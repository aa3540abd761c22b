"""Commands of operators, judged in the order of the contract before anything is done.

malformed, unknown_command, unknown_alarm, bad_arguments, not_permitted, duplicate, stale; what
is left may still be refused by the alarm's state (wrong_state).

Texts and durations have bounds, because they end in alarm records: a longer text could make a
record that no reader takes, and unprintable characters could show a person what nobody wrote.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from meltwatch_schemas.alarm import AlarmVerdict, EarlierOccurrence, MissedSpan
from meltwatch_schemas.alarm_command import COMMAND_SCHEMA, AlarmCommand, Command, ResultCode, Role
from meltwatch_schemas.codec import check_size
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import alarm_id_of, check_furnace_id
from meltwatch_schemas.instants import rfc3339
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import RawRecord, check_schema
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.text import escaped, is_printable
from pydantic import ValidationError

from meltwatch_core.alarms.alarm import Alarm

MAX_USER: Final = 64
MAX_COMMENT: Final = 1_000
MAX_TEXT: Final = 2_000
MAX_DURATION_S: Final = 31 * 24 * 3600
_SHOWN: Final = 80


def bounds_fault(command: AlarmCommand) -> str | None:
    """Return what of a command lies beyond its bounds, if anything."""
    faults = (
        _text_fault("user", command.user, MAX_USER, shortest=1),
        _text_fault("via", command.via, MAX_USER, shortest=1),
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


_NEEDS_EVENT: Final = frozenset({Command.ACK, Command.RESET})
_ENGINEERS_ONLY: Final = frozenset(
    {
        Command.OUT_OF_SERVICE,
        Command.IN_SERVICE,
        Command.SUPPRESS,
        Command.UNSUPPRESS,
        Command.DECOMMISSION,
    }
)


@dataclass(frozen=True, slots=True)
class Addressed:
    """A JSON object under a usable key: it will get an answer.

    Attributes
    ----------
    alarm_id
        The key.
    command_id
        Where it could be read.
    value
        The JSON bytes.
    """

    alarm_id: str
    command_id: str | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a command is refused."""

    code: ResultCode
    detail: str


def read_addressed(record: RawRecord) -> Addressed:
    """Return a command record that must be answered.

    Raises
    ------
    ContractViolation
        If it belongs to the dead letters: too large, of another schema, no JSON object, or
        without an alarm id as its key.
    """
    value = record.value or b""
    check_size(value)
    check_schema(record, COMMAND_SCHEMA)
    fields = parse_object(value)
    return Addressed(alarm_id_of(record.key), _readable_id(fields.get("command_id")), value)


def furnace_id_of(key: bytes | None) -> str:
    """Return the furnace id in a record's key.

    Raises
    ------
    ContractViolation
        If it is none.
    """
    try:
        return check_furnace_id((key or b"").decode())
    except UnicodeDecodeError as error:
        raise violation(f"key: expected a furnace id in UTF-8, got {key!r}"[:300]) from error


def _readable_id(value: Any) -> str | None:
    return value if isinstance(value, str) and _is_uuid(value) else None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def parse(addressed: Addressed) -> AlarmCommand | Refused:
    """Return the command, or why it cannot be read."""
    try:
        command = AlarmCommand.from_json(addressed.value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _malformed(f"{where}: {first['msg']}")
    if command.alarm_id != addressed.alarm_id:
        return _malformed(f"alarm_id: expected the key {addressed.alarm_id}, got another")
    if addressed.command_id is None:
        return _malformed(f"command_id: expected a UUID, got {shown(command.command_id)}")
    if command.command not in set(Command):
        expected = ", ".join(Command)
        return Refused(
            ResultCode.UNKNOWN_COMMAND, f"expected one of {expected}, got {shown(command.command)}"
        )
    return command


def examine(command: AlarmCommand, alarm: Alarm, is_duplicate: bool) -> Refused | None:
    """Return why a readable command is refused whatever the alarm's state, or None.

    Parameters
    ----------
    command
        With a known word.
    alarm
        The alarm that it addresses.
    is_duplicate
        A command of this id was judged before.
    """
    if (fault := _argument_fault(command, alarm)) is not None:
        return Refused(ResultCode.BAD_ARGUMENTS, fault)
    if (fault := _permission_fault(command) or _shelving_fault(command, alarm)) is not None:
        return Refused(ResultCode.NOT_PERMITTED, fault)
    if is_duplicate:
        return Refused(ResultCode.DUPLICATE, f"command {command.command_id} was judged before")
    expected = command.expected_event_id
    if expected is not None and not alarm.annunciation.covers(expected):
        return Refused(ResultCode.STALE, f"{_wanted(alarm)}, got {shown(expected)}: look again")
    return None


def _wanted(alarm: Alarm) -> str:
    if alarm.record is None:
        return "expected an alarm that was raised once"
    announced = alarm.annunciation.event_id
    newest = f"expected the event {alarm.record.event_id}"
    return f"{newest} or another since {announced}" if announced else newest


def _argument_fault(command: AlarmCommand, alarm: Alarm) -> str | None:
    if (fault := bounds_fault(command)) is not None:
        return fault
    reason = command.arguments.get("reason")
    if reason is not None and not isinstance(reason, str):
        return f"reason: expected text, got {shown(reason)}"
    word = Command(command.command)
    if word in _NEEDS_EVENT and command.expected_event_id is None:
        return f"{word}: expected expected_event_id, got none"
    check = _ARGUMENTS.get(word)
    return check(command, alarm) if check else None


def _shelve_fault(command: AlarmCommand, alarm: Alarm) -> str | None:
    one_shot = command.arguments.get("one_shot", False)
    if not isinstance(one_shot, bool):
        return f"one_shot: expected a boolean, got {shown(one_shot)}"
    longest_s = alarm.point.max_shelve_s
    # A one-shot shelving may leave it open: then it lasts as long as the alarm point allows.
    duration_s: Any = command.arguments.get("duration_s", longest_s if one_shot else None)
    is_number = isinstance(duration_s, int | float) and not isinstance(duration_s, bool)
    if not is_number or not 0 < duration_s <= longest_s:
        return f"duration_s: expected seconds within 0..{longest_s:g}, got {shown(duration_s)}"
    return None


def _out_of_service_fault(command: AlarmCommand, _alarm: Alarm) -> str | None:
    work_order = command.arguments.get("work_order")
    if not work_order or not isinstance(work_order, str):
        return f"work_order: expected text, got {shown(work_order)}"
    return None if reason_of(command) else "reason: expected text, got none"


def reason_of(command: AlarmCommand) -> str | None:
    """Return why a person commands something: the argument, or else the comment."""
    return command.arguments.get("reason") or command.comment or None


def _judge_fault(command: AlarmCommand, alarm: Alarm) -> str | None:
    cause = command.arguments.get("cause")
    if cause is not None and not isinstance(cause, str):
        return f"cause: expected text, got {shown(cause)}"
    is_missed = command.arguments.get("missed") is not None
    verdict = command.arguments.get("verdict", AlarmVerdict.TRUE_ALARM if is_missed else None)
    # What was missed cannot have been a false alarm.
    words = [
        word.value for word in AlarmVerdict if not (is_missed and word is AlarmVerdict.FALSE_ALARM)
    ]
    if not isinstance(verdict, str) or verdict not in words:
        return f"verdict: expected one of {', '.join(words)}, got {shown(verdict)}"
    if is_missed and command.arguments.get("earlier") is not None:
        return "expected missed or earlier, got both"
    return _span_fault("missed", missed_of, command) or _earlier_fault(command, alarm)


def _earlier_fault(command: AlarmCommand, alarm: Alarm) -> str | None:
    if (fault := _span_fault("earlier", earlier_of, command)) is not None:
        return fault
    earlier, newest = earlier_of(command), alarm.record
    if earlier is not None and newest is not None and earlier.occurrence_id == newest.occurrence_id:
        return "earlier.occurrence_id: expected another than the newest occurrence"
    return None


def _span_fault(
    name: str, parsed: Callable[[AlarmCommand], MissedSpan | None], command: AlarmCommand
) -> str | None:
    try:
        span = parsed(command)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((name, *(str(part) for part in first["loc"])))
        return escaped(f"{where}: {first['msg'].removeprefix('Value error, ')}")[:300]
    if span is not None and span.to > command.issued_at:
        return f"{name}.to: expected a time before {rfc3339(command.issued_at)}, got a later one"
    return None


def missed_of(command: AlarmCommand) -> MissedSpan | None:
    """Return when the event was that a judgement is about, if no alarm told of it.

    Raises
    ------
    pydantic.ValidationError
        If the argument says no time.
    """
    missed = command.arguments.get("missed")
    # By way of JSON: there a number is no time.
    return None if missed is None else MissedSpan.from_json(json.dumps(missed).encode())


def earlier_of(command: AlarmCommand) -> EarlierOccurrence | None:
    """Return which occurrence a judgement is about, if not about the newest.

    Raises
    ------
    pydantic.ValidationError
        If the argument names none.
    """
    earlier = command.arguments.get("earlier")
    return None if earlier is None else EarlierOccurrence.from_json(json.dumps(earlier).encode())


def _comment_fault(command: AlarmCommand, _alarm: Alarm) -> str | None:
    return None if command.comment else "comment: expected text, got none"


def _decommission_fault(command: AlarmCommand, _alarm: Alarm) -> str | None:
    reason = command.arguments.get("reason", command.comment)
    return None if reason and isinstance(reason, str) else "reason: expected text, got none"


_ARGUMENTS: Final[dict[Command, Callable[[AlarmCommand, Alarm], str | None]]] = {
    Command.SHELVE: _shelve_fault,
    Command.OUT_OF_SERVICE: _out_of_service_fault,
    Command.JUDGE: _judge_fault,
    Command.COMMENT: _comment_fault,
    Command.DECOMMISSION: _decommission_fault,
}


def _permission_fault(command: AlarmCommand) -> str | None:
    if command.role is Role.VIEWER:
        return f"{command.command}: expected an operator or engineer, got a viewer"
    if Command(command.command) in _ENGINEERS_ONLY and command.role is not Role.ENGINEER:
        return f"{command.command}: expected an engineer, got an {command.role}"
    return None


def as_granted(command: AlarmCommand, roles: Roles | None) -> AlarmCommand:
    """Return a command with the role that its user really has; without roles, as said."""
    if roles is None:
        return command
    role = roles.allowed(command.role, command.user, command.alarm_id)
    return command if role is command.role else command.model_copy(update={"role": role})


def _shelving_fault(command: AlarmCommand, alarm: Alarm) -> str | None:
    """Return why an alarm may not be put aside, or not by this person."""
    if command.command != Command.SHELVE:
        return None
    if not alarm.point.shelvable:
        return "shelve: expected an alarm point that may be shelved (shelvable)"
    if alarm.point.highly_managed and command.role is not Role.ENGINEER:
        return f"shelve: expected an engineer (highly_managed), got an {command.role}"
    return None


def _malformed(detail: str) -> Refused:
    return Refused(ResultCode.MALFORMED, escaped(detail)[:300])
