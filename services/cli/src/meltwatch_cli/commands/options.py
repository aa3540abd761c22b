"""Options that belong together, as one parameter of a command."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Final, get_type_hints

import typer
from meltwatch_chassis.clock import SystemClock

from meltwatch_cli.domain.letters import Filter
from meltwatch_cli.domain.moment import moment_ms

_WHEN: Final = "90s, 10m, 2h, 1d ago or an RFC 3339 time."
_Command = Callable[..., int]


@dataclass(frozen=True)
class Chosen:
    """Which dead letters are meant."""

    error: Annotated[
        str | None, typer.Option(help="Only this dlq.error, e.g. unexpected_source.")
    ] = None
    topic: Annotated[str | None, typer.Option(help="Only of this topic, e.g. embeddings.")] = None
    furnace: Annotated[str | None, typer.Option(metavar="ID", help="Only of this furnace.")] = None
    since: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help=f"Set aside since: {_WHEN}")
    ] = None
    until: Annotated[
        str | None, typer.Option("--to", metavar="WHEN", help=f"Set aside before: {_WHEN}")
    ] = None

    @property
    def filter(self) -> Filter:
        """What a letter itself must be."""
        return Filter(self.error, self.topic, self.furnace)

    def span_ms(self) -> tuple[int | None, int | None]:
        """Return the times from and to which letters are meant, ms UTC; None without bound.

        Raises
        ------
        BadUsage
            If one is no time.
        """
        now_ns = SystemClock().now_ns()
        since, until = (
            None if text is None else moment_ms(text, now_ns) for text in (self.since, self.until)
        )
        return since, until


@dataclass(frozen=True)
class Manner:
    """How dead letters are sent again."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
    force: Annotated[
        bool, typer.Option("--force", help="Send also what would be refused again.")
    ] = False
    user: Annotated[str | None, typer.Option(help="By default the login name.")] = None


def grouped(command: _Command) -> _Command:
    """Let typer see the fields of dataclass parameters as options of the command."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = inspect.signature(command).parameters

    @wraps(command)
    def expanded(**given: Any) -> int:
        arguments = {name: given[name] for name in own if name not in groups}
        for name, kind in groups.items():
            arguments[name] = kind(**{field.name: given[field.name] for field in fields(kind)})
        return command(**arguments)

    seen = [
        shown
        for parameter in own.values()
        for shown in _fields_or_itself(parameter, hints[parameter.name])
    ]
    expanded.__dict__["__signature__"] = inspect.Signature(seen)
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    return expanded


def _fields_or_itself(parameter: inspect.Parameter, hint: Any) -> Iterator[inspect.Parameter]:
    if not is_dataclass(hint):
        yield parameter.replace(annotation=hint, kind=parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(hint, include_extras=True)
    for field in fields(hint):
        yield inspect.Parameter(
            field.name,
            parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
