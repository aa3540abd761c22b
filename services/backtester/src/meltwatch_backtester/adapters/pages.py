"""Pages for people, made from templates."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from meltwatch_schemas.text import escaped


def page_of(
    template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]
) -> str:
    """Return the page of a template that lies beside this file; see ``rendered``."""
    text = files("meltwatch_backtester").joinpath("adapters", template).read_text(encoding="utf-8")
    return rendered(text, values, filters)


def rendered(
    template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]
) -> str:
    """Return the filled template. Text from outside stays text, whatever it holds.

    Parameters
    ----------
    template
        Text of it.
    values, filters
        Its names. Markup and invisible characters in a text are escaped.
    """
    return _compiled(template, tuple(filters.items())).render(values)


@lru_cache(maxsize=4)
def _compiled(template: str, filters: tuple[tuple[str, Callable[..., str]], ...]) -> Template:
    """Return a template as a program: to make one costs more than to fill it."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= dict(filters)
    return environment.from_string(template)


def _visible(value: object) -> object:
    return escaped(value) if type(value) is str else value
