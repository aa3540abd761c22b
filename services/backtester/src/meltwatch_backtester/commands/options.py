"""Options that commands share, and the file of alarm points that some propose."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.moment import moment_ns
from meltwatch_chassis.point_file import points_as_yaml
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_backtester.domain.span import Span

DEFAULT_FOLDER: Final = Path("backtests")
"""Where backtests are written to, and looked for."""
_WHEN: Final = "10m (ago), 2h, 1d, now or an RFC 3339 time"

Since = Annotated[
    str, Parameter("--from", metavar="WHEN", help=f"Event time of the first windows: {_WHEN}.")
]
Until = Annotated[
    str, Parameter("--to", metavar="WHEN", help="Event time of the last windows, excluded.")
]
Furnaces = Annotated[
    list[str] | None,
    Parameter("--furnace", metavar="ID", help="Only this furnace; may be given several times."),
]
OneFurnace = Annotated[str, Parameter("--furnace", metavar="ID", help="The furnace.")]
Partial = Annotated[bool, Parameter("--partial", help="Go on where history has lost something.")]
ProposalFile = Annotated[
    Path | None,
    Parameter("--out", metavar="FILE", help="Write the proposal for 'alarms points apply'."),
]
AsJson = Annotated[bool, Parameter("--json", help="Print JSON instead of text.")]


def span_of(since: str, until: str) -> Span:
    """Return the span between two moments, in whole milliseconds.

    Raises
    ------
    BadUsage
        If one is no time, or nothing lies between them.
    """
    now_ns = SystemClock().now_ns()
    span = Span(_moment("--from", since, now_ns), _moment("--to", until, now_ns))
    if span.from_ns >= span.to_ns:
        raise BadUsage(f"--from, --to: expected the later time second, got {span}")
    return span


def _moment(option: str, text: str, now_ns: int) -> int:
    try:
        return moment_ns(text, now_ns) // NS_PER_MS * NS_PER_MS
    except ConfigurationError as error:
        raise BadUsage(f"{option}: {error}") from error


def write_proposal(file: Path, points: Iterable[AlarmPoint]) -> None:
    """Write alarm points for a person to accept.

    Raises
    ------
    BadUsage
        If they cannot be written there.
    """
    try:
        write_whole(file, points_as_yaml(points))
    except OSError as error:
        raise BadUsage(f"--out {file}: {error}") from None


def next_step(file: Path | None, why: str) -> str:
    """Return the command by which a person accepts what stands in a file."""
    name = "FILE" if file is None else shlex.quote(f"{file}")
    return f'meltwatch alarms points apply {name} --why "{why}"'


def furnace_named(text: str) -> str:
    """Return the id of a furnace.

    Raises
    ------
    BadUsage
        If it is none.
    """
    try:
        return check_furnace_id(text)
    except ContractViolation as error:
        raise BadUsage(error.detail) from None
