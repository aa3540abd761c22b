"""The tree of commands: our own and those of installed packages, each imported on its first use.

A package adds a command by an entry point of the group ``meltwatch.commands``: name ``run`` or,
inside a group, ``alarms.shelve``; value a function with typer's annotations that returns the exit
code (None is 0).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any, Final

import typer
from meltwatch_chassis.terminal import print_line
from typer.core import TyperGroup
from typer.main import get_command, get_group

from meltwatch_cli.adapters.interrupt import raising_interrupts

ENTRY_POINTS: Final = "meltwatch.commands"

_OWN: Final = {
    name: EntryPoint(name, f"meltwatch_cli.commands.{function}", ENTRY_POINTS)
    for name, function in {
        "status": "status:status",
        "alarms.list": "alarms:list_alarms",
        "alarms.show": "alarms:show",
        "alarms.tail": "alarms:tail",
        "alarms.ack": "alarms:ack",
        "dead-letters.list": "dead_letters:list_letters",
        "dead-letters.show": "dead_letters:show",
        "dead-letters.redrive": "redrive:redrive",
        "topics.create": "topics:create",
        "topics.acls": "topics:acls",
        "topics.check": "topics:check",
        "topics.wait": "topics:wait",
    }.items()
}
_GROUP_HELP: Final = {
    "alarms": "List, show, follow and acknowledge alarms; find their set-points.",
    "dead-letters": "List and read refused records, and send them again.",
    "topics": "Create, check and wait for the Kafka topics; list the rights on them.",
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


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print_line(f"meltwatch {version('meltwatch-cli')}")
        raise typer.Exit


def root() -> TyperGroup:
    """Return the ``meltwatch`` command."""
    app = typer.Typer(add_completion=False)
    app.callback()(_options)
    group = get_group(app)
    group.name, group.commands = "meltwatch", _lazy(Branch())
    return group


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """Streaming anomaly detection for industrial furnaces."""


def _command(name: str, function: Callable[..., int | None]) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(name)(function)
    command = get_command(app)
    callback: Any = command.callback

    def begun(**parameters: Any) -> int | None:
        with raising_interrupts():
            result: int | None = callback(**parameters)
        return result

    command.callback = begun
    return command


def _group(name: str, commands: Branch, text: str | None) -> TyperGroup:
    return TyperGroup(name=name, commands=_lazy(commands), help=text)


def _lazy(commands: Branch) -> Any:
    """Return a mapping for the dict that a group types: it only looks names up and lists them."""
    return commands
