"""``meltwatch alarms judge`` and ``decommission``: what was found out, and the end of an alarm."""

import os
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.moment import moment_ns
from meltwatch_chassis.person import user_of
from meltwatch_schemas.alarm_command import Command, Role
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_alarm_id
from meltwatch_schemas.instants import rfc3339, utc_from_ns

from meltwatch_cli.commands.asking import MAX_TEXT, Timeout, UserName, check_text, command_of, put
from meltwatch_cli.commands.output import AsJson
from meltwatch_cli.settings import located

WholeAlarmId = Annotated[
    str, Parameter("ALARM_ID", allow_leading_hyphen=False, help="The whole id of an alarm.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class HumanFinding:
    """What was found out."""

    verdict: Annotated[
        Literal["true_alarm", "false_alarm", "unclear"] | None,
        Parameter(help="Whether it was right; of a missed event true_alarm unless given."),
    ] = None
    cause: Annotated[str | None, Parameter(help="What lay behind it.")] = None
    missed: Annotated[
        str | None,
        Parameter(metavar="FROM/TO", help="An event that the alarm missed: when it happened."),
    ] = None

    def arguments(self, now_ns: int) -> dict[str, Any]:
        """Return it as arguments of a command."""
        if self.verdict is None and self.missed is None:
            raise BadUsage("expected --verdict or --missed, got neither")
        check_text("--cause", self.cause, MAX_TEXT)
        span = None if self.missed is None else _span(self.missed, now_ns)
        given = {"verdict": self.verdict, "cause": self.cause, "missed": span}
        return {name: each for name, each in given.items() if each is not None}


_NOTHING: Final = HumanFinding()


def judge(
    alarm_id: WholeAlarmId,
    /,
    *,
    finding: HumanFinding = _NOTHING,
    user: UserName = None,
    timeout_s: Timeout = 15.0,
    as_json: AsJson = False,
) -> int:
    """Record what you found out about an alarm; 'labels export' gives all of it."""
    clock = SystemClock()
    arguments = finding.arguments(clock.now_ns())
    command = command_of(Command.JUDGE, _whole(alarm_id), user_of(user), clock, arguments)
    return put(located(os.environ, "kafka"), command, timeout_s, clock, as_json=as_json)


def decommission(
    alarm_id: WholeAlarmId,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; stands in the journal.")],
    user: UserName = None,
    timeout_s: Timeout = 15.0,
    as_json: AsJson = False,
) -> int:
    """End an alarm for ever (engineers), because nobody else can: its furnace left the plant."""
    check_text("--reason", reason, MAX_TEXT)
    clock, name, whole = SystemClock(), user_of(user), _whole(alarm_id)
    why = {"reason": reason}
    command = command_of(Command.DECOMMISSION, whole, name, clock, why, Role.ENGINEER)
    return put(located(os.environ, "kafka"), command, timeout_s, clock, as_json=as_json)


def _whole(alarm_id: str) -> str:
    try:
        return check_alarm_id(alarm_id)
    except ContractViolation as error:
        raise BadUsage(error.detail) from None


def _span(text: str, now_ns: int) -> dict[str, str]:
    begin, has_end, end = text.partition("/")
    if not has_end:
        raise BadUsage(f"--missed: expected FROM/TO, got {text!r}")
    try:
        instants = [utc_from_ns(moment_ns(each, now_ns)) for each in (begin, end)]
    except ConfigurationError as error:
        raise BadUsage(f"--missed: {error}") from error
    return dict(zip(("from", "to"), map(rfc3339, instants), strict=True))
