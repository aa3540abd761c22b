"""Under which name a command acts, and whether a person agrees: what commands share."""

import getpass
import sys
from typing import Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.text import is_printable

from meltwatch_cli.commands.output import print_notice

_MAX_USER: Final = 64
VIA: Final = "cli"
"""By what name commands say that they come from here."""


def user_of(given: str | None) -> str:
    """Return the name that a person acts under: the one given, else the login name.

    Raises
    ------
    BadUsage
        If there is none, or the contract does not allow it.
    """
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError):  # a container's user id may have no name
            raise BadUsage("expected --user, for this machine tells no login name") from None
    if not (0 < len(given) <= _MAX_USER and is_printable(given)):
        raise BadUsage(
            f"--user: expected 1 to {_MAX_USER} printable characters, got {given[:80]!r}"
        )
    return given


def can_be_asked() -> bool:
    """Tell whether a person sits at the terminal."""
    return sys.stdin.isatty()


def agrees(question: str) -> bool:
    """Ask the person at the terminal; an answer that is not yes is no."""
    print_notice(f"{question}? y or n:")
    try:
        return input().strip().lower() in {"y", "yes"}
    except EOFError:
        return False
