"""The tree of commands: our own and those of installed packages, each imported on its first use.

A package adds a command by an entry point of the group ``meltwatch.commands``: name ``run`` or,
inside a group, ``alarms.shelve``; value a function with cyclopts' annotations that returns the
exit code (None is 0). A dataclass decorated as ``Parameter(name="*")`` is options that belong
together.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Final

from cyclopts import App, Parameter, Token, convert

ENTRY_POINTS: Final = "meltwatch.commands"

_OWN: Final = {
    name: EntryPoint(name, f"meltwatch_cli.commands.{function}", ENTRY_POINTS)
    for name, function in {
        "status": "status:status",
        "backup": "backup:backup",
        "restore": "backup:restore",
        "alarms.list": "alarms:list_alarms",
        "alarms.show": "alarms:show",
        "alarms.tail": "alarms:tail",
        "alarms.ack": "on_sight:ack",
        "alarms.judge": "verdicts:judge",
        "alarms.decommission": "verdicts:decommission",
        "alarms.points.check": "points:check",
        "alarms.points.apply": "points:apply",
        "alarms.points.take-back": "points:take_back",
        "alarms.points.export": "points:export",
        "labels.export": "labels:export",
        "alarms.reset": "on_sight:reset",
        "alarms.comment": "orders:comment",
        "alarms.shelve": "orders:shelve",
        "alarms.unshelve": "orders:unshelve",
        "alarms.suppress": "orders:suppress",
        "alarms.unsuppress": "orders:unsuppress",
        "alarms.out-of-service": "orders:out_of_service",
        "alarms.in-service": "orders:in_service",
        "dead-letters.list": "dead_letters:list_letters",
        "dead-letters.show": "dead_letters:show",
        "dead-letters.redrive": "redrive:redrive",
        "traces.export": "traces:export",
        "topics.create": "topics:create",
        "topics.acls": "topics:acls",
        "topics.check": "topics:check",
        "topics.wait": "topics:wait",
    }.items()
}
_GROUP_HELP: Final = {
    "alarms": "List, follow, answer, keep and report alarms; find their set-points.",
    "backtests": "List backtests, hold two against each other, sweep set-points over one.",
    "points": "Check a file of alarm points, apply it, export what is in force.",
    "furnaces": "Say whether a furnace that was watched may alarm.",
    "labels": "What people have judged, for set-points and training.",
    "dead-letters": "List and read refused records, and send them again.",
    "portrait": "Make, show, publish and retire portraits of furnaces' own normal operation.",
    "shadow": "Hold an ensemble that is only watched against the live one; prepare for it.",
    "sources": "Try, check and watch the cameras and meters of a plant.",
    "traces": "Send the way of windows and alarms to a tracing system.",
    "topics": "Create, check and wait for the Kafka topics; list the rights on them.",
}
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")


@cache
def installed_commands() -> dict[str, EntryPoint]:
    """Return every command by its dotted name; other packages cannot replace ours."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)} | _OWN


def root(described: Sequence[str] | None = None) -> App:
    """Return the ``meltwatch`` command.

    Parameters
    ----------
    described
        Words of the group whose commands are imported at once: help needs what each says of itself.
    """
    app = App(
        "meltwatch",
        "Streaming anomaly detection for industrial furnaces.",
        version=f"meltwatch {version('meltwatch-cli')}",
        help_flags=["--help"],
        help_format="plaintext",
        default_parameter=Parameter(
            converter=_converted,
            negative=(),
            json_list=False,
            json_dict=False,
            allow_leading_hyphen=True,  # a time may be "-10m"
            show_default=_shown,
        ),
    )
    for dotted, point in sorted(installed_commands().items()):
        *words, name = dotted.split(".")
        branch = app
        for word in words:
            if word not in branch:
                branch.command(App(word, _GROUP_HELP.get(word, "")))
            branch = branch[word]
        branch.command(point.load() if words == described else point.value, name=name)
    return app


def _shown(default: object) -> str | None:
    return None if default is None or default is False else f"{default}"


def _converted(kind: Any, tokens: Sequence[Token]) -> Any:
    """Convert as cyclopts does, except whole numbers: it would take hex and round fractions."""
    if kind in {int, list[int]}:
        for token in tokens:
            if not _WHOLE.fullmatch(token.value):
                raise ValueError(f"expected a whole number, got {token.value!r}")
    return convert(kind, tokens)
