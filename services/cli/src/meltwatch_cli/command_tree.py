"""The tree of commands: our own and those of installed packages, each imported on its first use.

A package adds a command by an entry point of the group ``meltwatch.commands``: name ``run`` or,
inside a group, ``alarms.shelve``; value a function with typer's annotations that returns the exit
code (None is 0).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

ENTRY_POINTS: Final = "meltwatch.commands"

_OWN: Final = {
    name: EntryPoint(name, f"meltwatch_cli.commands.{function}", ENTRY_POINTS)
    for name, function in {
        "status": "status:status",
        "alarms.list": "alarms:list_alarms",
        "alarms.tail": "alarms:tail",
        "alarms.ack": "alarms:ack",
        "dead-letters.list": "dead_letters:list_letters",
        "dead-letters.show": "dead_letters:show",
        "dead-letters.redrive": "redrive:redrive",
        "topics.create": "topics:create",
        "topics.check": "topics:check",
        "topics.wait": "topics:wait",
    }.items()
}
_GROUP_HELP: Final = {
    "alarms": "List, follow and acknowledge alarms; find their set-points.",
    "dead-letters": "List and read refused records, and send them again.",
    "topics": "Create, check and wait for the Kafka topics.",
}


@cache
def installed_commands() -> dict[str, EntryPoint]:
    """Return every command by its dotted name; other packages cannot replace ours."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)} | _OWN


class Branch(Mapping[str, Any]):
    """The commands under one word, made when they are asked for.

    Parameters
    ----------
    path
        Empty for the root, else the group's name and a dot.
    """

    def __init__(self, path: str = "") -> None:
        self._path = path

    def __getitem__(self, name: str) -> Any:
        own = _OWN.get(self._path + name)
        if own is not None:
            return _command(name, own.load())
        if name not in set(self):
            raise KeyError(name)
        point = installed_commands().get(self._path + name)
        if point is not None:
            return _command(name, point.load())
        return _group(name, Branch(f"{self._path}{name}."), _GROUP_HELP.get(name))

    def __iter__(self) -> Iterator[str]:
        under = (name for name in installed_commands() if name.startswith(self._path))
        return iter(sorted({name.removeprefix(self._path).partition(".")[0] for name in under}))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def root() -> TyperGroup:
    """Return the ``meltwatch`` command."""
    return _group("meltwatch", Branch(), "Streaming anomaly detection for industrial furnaces.")


def _command(name: str, function: Callable[..., int | None]) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(name)(function)
    return get_command(app)


def _group(name: str, commands: Branch, text: str | None) -> TyperGroup:
    # The group only looks names up and lists them, so a lazy mapping serves for the dict it types.
    lazy: Any = commands
    return TyperGroup(name=name, commands=lazy, help=text)
