"""Who acts by a command, and why: what a person says of a change is recorded with it."""

import getpass
from typing import Final

from meltwatch_schemas.bounds import MAX_TEXT
from meltwatch_schemas.text import is_printable

from meltwatch_chassis.errors import BadUsage

_MAX_USER: Final = 64


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


def checked_reason(why: str) -> str:
    """Return what ``--why`` says.

    Raises
    ------
    BadUsage
        If it is blank, too long, or could not be shown.
    """
    if not (why.strip() and len(why) <= MAX_TEXT and is_printable(why)):
        raise BadUsage(f"--why: expected 1 to {MAX_TEXT} printable characters, got {why[:80]!r}")
    return why
