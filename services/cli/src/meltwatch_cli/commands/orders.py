"""``meltwatch alarms shelve`` and the like: commands of people, each answered by the manager."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.moment import duration_s
from meltwatch_chassis.person import user_of
from meltwatch_schemas.alarm_command import Command, Role
from meltwatch_schemas.alarm_list import named
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_alarm_id

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.asking import (
    MAX_COMMENT,
    MAX_TEXT,
    Asking,
    Timeout,
    UserName,
    check_text,
    command_of,
    put,
)
from meltwatch_cli.commands.looking import found
from meltwatch_cli.commands.output import AsJson
from meltwatch_cli.settings import Settings, located

AlarmName = Annotated[
    str,
    Parameter(
        "ALARM_ID",
        allow_leading_hyphen=False,
        help="Of an alarm or alarm point; the end of a listed one is enough, if unique.",
    ),
]
Reason = Annotated[str, Parameter("--reason", help="Why; stands in the journal.")]


_AS_USUAL: Final = Asking()


def shelve(
    alarm_id: AlarmName,
    /,
    *,
    reason: Reason,
    lasts: Annotated[
        str | None,
        Parameter("--for", metavar="DURATION", help="30s, 20m, 8h or 1d from now."),
    ] = None,
    one_shot: Annotated[
        bool, Parameter(help="End with the next return to normal; --for may be left out then.")
    ] = False,
    asking: Asking = _AS_USUAL,
) -> int:
    """Put an alarm aside for a time: it is tracked, but calls nobody. Shelving again replaces."""
    if lasts is None and not one_shot:
        raise BadUsage("expected --for or --one-shot, got neither")
    arguments: dict[str, Any] = {"one_shot": one_shot, "reason": reason}
    if lasts is not None:
        arguments["duration_s"] = _duration("--for", lasts)
    return _order(Command.SHELVE, alarm_id, asking, arguments)


def comment(
    alarm_id: AlarmName,
    text: Annotated[str, Parameter("TEXT", help="Stands in the journal.")],
    /,
    *,
    user: UserName = None,
    timeout_s: Timeout = 15.0,
    as_json: AsJson = False,
) -> int:
    """Write something about an alarm into the journal; nothing else changes."""
    check_text("TEXT", text, MAX_COMMENT)
    return _order(Command.COMMENT, alarm_id, Asking(text, user, timeout_s, as_json))


def unshelve(alarm_id: AlarmName, /, *, asking: Asking = _AS_USUAL) -> int:
    """End the shelving of an alarm; it is announced anew if its condition holds."""
    return _order(Command.UNSHELVE, alarm_id, asking)


def out_of_service(
    alarm_id: AlarmName,
    /,
    *,
    reason: Reason,
    work_order: Annotated[str, Parameter(help="Under which it is worked on.")],
    asking: Asking = _AS_USUAL,
) -> int:
    """Take an alarm out of service until it is put back (engineers)."""
    arguments = {"reason": reason, "work_order": work_order}
    return _order(Command.OUT_OF_SERVICE, alarm_id, asking, arguments)


def in_service(alarm_id: AlarmName, /, *, asking: Asking = _AS_USUAL) -> int:
    """Put an alarm back in service; it is announced anew if its condition holds (engineers)."""
    return _order(Command.IN_SERVICE, alarm_id, asking)


def suppress(alarm_id: AlarmName, /, *, reason: Reason, asking: Asking = _AS_USUAL) -> int:
    """Suppress an alarm by design until it is unsuppressed: for the plant's logic (engineers)."""
    return _order(Command.SUPPRESS, alarm_id, asking, {"reason": reason})


def unsuppress(alarm_id: AlarmName, /, *, asking: Asking = _AS_USUAL) -> int:
    """End such a suppression; the alarm is announced anew if its condition holds (engineers)."""
    return _order(Command.UNSUPPRESS, alarm_id, asking)


_ENGINEERS: Final = frozenset(
    {Command.OUT_OF_SERVICE, Command.IN_SERVICE, Command.SUPPRESS, Command.UNSUPPRESS}
)


def _order(
    word: Command, name: str, asking: Asking, arguments: Mapping[str, Any] | None = None
) -> int:
    """Send a command and tell what became of it; exit code 1 if it is refused."""
    for option, text in (arguments or {}).items():
        if isinstance(text, str):
            check_text(f"--{option.replace('_', '-')}", text, MAX_TEXT)
    check_text("--comment", asking.comment, MAX_COMMENT)
    user, clock = user_of(asking.user), SystemClock()
    settings = located(os.environ, "kafka", "redis")
    role = Role.ENGINEER if word in _ENGINEERS else Role.OPERATOR
    command = command_of(word, _meant(settings, name), user, clock, arguments or {}, role)
    command = command.model_copy(update={"comment": asking.comment})
    return put(settings, command, asking.timeout_s, clock, as_json=asking.as_json)


def _duration(option: str, text: str) -> float:
    try:
        return duration_s(text)
    except ConfigurationError as error:
        raise BadUsage(f"{option}: {error}") from error


def _meant(settings: Settings, name: str) -> str:
    """Return the alarm that a name means: a listed one, or an alarm point that was never raised."""
    with bootstrap.redis_view(settings) as view:
        alarms = view.alarms()
    if named(alarms, name):
        return found(alarms, name).alarm_id
    try:
        return check_alarm_id(name)
    except ContractViolation as error:
        raise BadUsage(error.detail) from None
