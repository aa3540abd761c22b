"""Pages for people, made from templates."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
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
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= filters
    return environment.from_string(template).render(values)


def _visible(value: object) -> object:
    return escaped(value) if type(value) is str else value
