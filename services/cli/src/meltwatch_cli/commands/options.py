"""Options that belong together, as one parameter of a command."""

import getpass
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.moment import moment_ns
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_cli.domain.letters import Filter

_MAX_USER: Final = 64
_WHEN: Final = "90s, 10m, 2h, 1d ago or an RFC 3339 time."


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """Which dead letters are meant."""

    error: Annotated[str | None, Parameter(help="Only this dlq.error, e.g. unexpected_source.")] = (
        None
    )
    topic: Annotated[str | None, Parameter(help="Only of this topic, e.g. embeddings.")] = None
    furnace: Annotated[str | None, Parameter(metavar="ID", help="Only of this furnace.")] = None
    since: Annotated[
        str | None, Parameter("--from", metavar="WHEN", help=f"Set aside since: {_WHEN}")
    ] = None
    until: Annotated[
        str | None, Parameter("--to", metavar="WHEN", help=f"Set aside before: {_WHEN}")
    ] = None

    @property
    def filter(self) -> Filter:
        """What a letter itself must be."""
        return Filter(self.error, self.topic, self.furnace)

    def span_ms(self) -> tuple[int | None, int | None]:
        """Return the times from and to which letters are meant, ms UTC; None without bound.

        Raises
        ------
        ConfigurationError
            If one is no time.
        """
        now_ns = SystemClock().now_ns()
        since, until = (
            None if text is None else timestamp_ms(moment_ns(text, now_ns))
            for text in (self.since, self.until)
        )
        return since, until


ALL: Final = Chosen()


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How dead letters are sent again."""

    dry_run: Annotated[
        bool, Parameter("--dry-run", help="Say what would be done, and do nothing.")
    ] = False
    yes: Annotated[bool, Parameter("--yes", help="Do not ask.")] = False
    force: Annotated[bool, Parameter("--force", help="Send also what would be refused again.")] = (
        False
    )
    user: Annotated[str | None, Parameter(help="By default the login name.")] = None


def user_of(given: str | None) -> str:
    """Return the name that a person acts under: the one given, else the login name.

    Raises
    ------
    BadUsage
        If there is none, or it is none by the contract.
    """
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError):  # a container's user stands in no list of users
            raise BadUsage("expected --user, for this machine tells no login name") from None
    if not (0 < len(given) <= _MAX_USER and is_printable(given)):
        raise BadUsage(
            f"--user: expected 1 to {_MAX_USER} printable characters, got {given[:80]!r}"
        )
    return given
