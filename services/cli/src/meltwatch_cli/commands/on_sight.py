"""``meltwatch alarms ack`` and ``reset``: answers to what was seen, and to nothing newer."""

import os
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.person import user_of
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.alarm_list import token_of
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_alarm_id
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.asking import MAX_COMMENT, Asking, check_text, command_of, put
from meltwatch_cli.commands.looking import found
from meltwatch_cli.commands.options import agrees, can_be_asked
from meltwatch_cli.commands.output import BAD_VERDICT, print_notice, screen_width
from meltwatch_cli.domain.alarm_wording import list_lines
from meltwatch_cli.settings import Settings, located

AlarmName = Annotated[
    str,
    Parameter("ALARM_ID", allow_leading_hyphen=False, help="The end of it is enough, if unique."),
]
SeenEvent = Annotated[
    str | None,
    Parameter(help="The event that you have seen, from 'alarms list'; without it you are asked."),
]
_AS_USUAL: Final = Asking()


def ack(alarm_id: AlarmName, /, *, event_id: SeenEvent = None, asking: Asking = _AS_USUAL) -> int:
    """Acknowledge what you have seen of an alarm; exit code 1 if it is refused.

    On a terminal, without --event-id, it shows the alarm and asks. An alarm that was announced
    again since is never acknowledged.
    """
    return _answer(Command.ACK, "acknowledge", alarm_id, event_id, asking)


def reset(alarm_id: AlarmName, /, *, event_id: SeenEvent = None, asking: Asking = _AS_USUAL) -> int:
    """Reset a latched alarm whose condition has gone; exit code 1 if it is refused.

    On a terminal, without --event-id, it shows the alarm and asks.
    """
    return _answer(Command.RESET, "reset", alarm_id, event_id, asking)


def _answer(word: Command, verb: str, name: str, event_id: str | None, asking: Asking) -> int:
    user = user_of(asking.user)
    check_text("--comment", asking.comment, MAX_COMMENT)
    if event_id is None and not can_be_asked():
        raise BadUsage(
            f"expected --event-id where nobody can be asked, got none; 'meltwatch alarms show "
            f"{name}' says which"
        )
    settings = located(os.environ, *(["kafka"] if event_id else ["kafka", "redis"]))
    clock = SystemClock()
    seen = (_full_id(name), event_id) if event_id else _agreed(settings, verb, name, clock)
    if seen is None:
        return BAD_VERDICT
    meant, event = seen
    said = {"expected_event_id": event, "comment": asking.comment}
    command = command_of(word, meant, user, clock).model_copy(update=said)
    return put(settings, command, asking.timeout_s, clock, as_json=asking.as_json)


def _full_id(alarm_id: str) -> str:
    try:
        return check_alarm_id(alarm_id)
    except ContractViolation as error:
        raise BadUsage(error.detail) from None


def _agreed(settings: Settings, verb: str, name: str, clock: Clock) -> tuple[str, str] | None:
    """Show an alarm as it stands; return its id and event, if the person agrees."""
    with bootstrap.redis_view(settings) as view:
        alarm = found(view.alarms(), name)
    for line in list_lines([alarm], utc_from_ns(clock.now_ns()), screen_width()):
        print_notice(line)
    return (alarm.alarm_id, token_of(alarm)) if agrees(f"{verb} this") else None
