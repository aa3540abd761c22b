"""How a command of a person is put to the alarm manager, and its answer told."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.alarm_command import AlarmCommand, Command, Role
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.text import is_printable

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.options import VIA
from meltwatch_cli.commands.output import BAD_VERDICT, DONE, AsJson, print_json, print_line
from meltwatch_cli.errors import NoAnswer
from meltwatch_cli.settings import Settings

MAX_COMMENT: Final = 1_000
MAX_TEXT: Final = 2_000
Comment = Annotated[str | None, Parameter("--comment", help="For the journal.")]
UserName = Annotated[str | None, Parameter("--user", help="By default the login name.")]
Timeout = Annotated[
    float, Parameter("--timeout-s", validator=Number(gte=0.1, lte=600), help="Seconds to wait.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Asking:
    """How to ask."""

    comment: Comment = None
    user: UserName = None
    timeout_s: Timeout = 15.0
    as_json: AsJson = False


def check_text(option: str, text: str | None, most: int) -> None:
    """Refuse what the contract does not allow.

    Raises
    ------
    BadUsage
        If it is blank, too long, or could not be shown.
    """
    if text is not None and not (text.strip() and len(text) <= most and is_printable(text)):
        shown = f"{text[:80]!r}, {len(text)} characters"
        raise BadUsage(f"{option}: expected 1 to {most} printable characters, got {shown}")


def command_of(
    word: Command,
    alarm_id: str,
    user: str,
    clock: Clock,
    arguments: Mapping[str, Any] = MappingProxyType({}),
    role: Role = Role.OPERATOR,
) -> AlarmCommand:
    """Return a new command that comes from here."""
    return AlarmCommand(
        command_id=str(uuid.uuid4()),
        alarm_id=alarm_id,
        command=word,
        user=user,
        role=role,
        arguments=dict(arguments),
        issued_at=utc_from_ns(clock.now_ns()),
        via=VIA,
    )


def put(
    settings: Settings, command: AlarmCommand, timeout_s: float, clock: Clock, *, as_json: bool
) -> int:
    """Send a command and tell what became of it; exit code 1 if it is refused.

    Raises
    ------
    NoAnswer
        If nobody answers in time.
    """
    with bootstrap.alarm_topics(settings) as topics:
        result = topics.ask(command, timeout_s, clock)
    if result is None:
        raise NoAnswer(
            f"expected an answer of the alarm manager within {timeout_s:g} s, got none; the "
            f"command {command.command_id} may still be carried out: see 'meltwatch alarms tail'"
        )
    if as_json:
        print_json(json.loads(result.to_json()))
    else:
        print_line(f"{command.alarm_id}: {result.result} ({result.code}) {result.detail}".rstrip())
    return DONE if result.result == "done" else BAD_VERDICT
