"""Who a visitor is, and what the console lets them ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.alarm_command import Command, Role


class ConsoleRole(StrEnum):
    """What a visitor may do; each includes those before it."""

    VIEW = "view"
    OPERATE = "operate"
    ENGINEER = "engineer"


ROLE_OF_COMMANDS: Final = {
    ConsoleRole.VIEW: Role.VIEWER,
    ConsoleRole.OPERATE: Role.OPERATOR,
    ConsoleRole.ENGINEER: Role.ENGINEER,
}
"""What a command says of the visitor who gives it."""
_OPERATE: Final = frozenset(
    {
        Command.ACK, Command.RESET, Command.COMMENT, Command.SHELVE, Command.UNSHELVE,
        Command.JUDGE,
    }
)  # fmt: skip
_ENGINEER: Final = _OPERATE | {Command.OUT_OF_SERVICE, Command.IN_SERVICE}
_MAY: Final[Mapping[ConsoleRole, frozenset[Command]]] = {
    ConsoleRole.VIEW: frozenset(),
    ConsoleRole.OPERATE: _OPERATE,
    ConsoleRole.ENGINEER: _ENGINEER,
}
_RANK: Final = {role: rank for rank, role in enumerate(ConsoleRole)}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page.

    Attributes
    ----------
    user
        The name that commands and the journal get.
    role
        What the visitor may do.
    """

    user: str
    role: ConsoleRole

    def may(self, command: Command) -> bool:
        """Tell whether the console passes such a command on."""
        return command in _MAY[self.role]


def groups_of(text: str) -> dict[str, ConsoleRole]:
    """Return the role of each group from ``group=role,group=role``.

    Raises
    ------
    ValueError
        If it is not of this form, or names a role that there is not.
    """
    found: dict[str, ConsoleRole] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = pair.rpartition("=")
        if not group or role not in _RANK:
            raise ValueError("expected group=view, group=operate or group=engineer, by commas")
        found[group] = ConsoleRole(role)
    return found


def role_of(groups: Iterable[str], table: Mapping[str, ConsoleRole]) -> ConsoleRole:
    """Return the highest role of some groups; who is in none of the table only looks."""
    roles = (table[group] for group in groups if group in table)
    return max(roles, key=_RANK.__getitem__, default=ConsoleRole.VIEW)
