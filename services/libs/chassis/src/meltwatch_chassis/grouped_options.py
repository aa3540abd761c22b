"""Options that belong together, as one parameter of a command: a dataclass of them."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

_Command = Callable[..., int]


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
