"""Pages for people: made from templates, written whole."""

import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from meltwatch_schemas.text import escaped

DRAFT: Final = ".draft"
"""What a file is called before it is whole, behind its name."""


def page_of(
    template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]
) -> str:
    """Return the page of a template that lies beside this file; see ``rendered``."""
    text = files("meltwatch_backtester").joinpath("adapters", template).read_text(encoding="utf-8")
    return rendered(text, values, filters)


def rendered(
    template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]
) -> str:
    """Return what a template makes. Text from outside stands in it as text, whatever it holds.

    Parameters
    ----------
    template
        Text of it.
    values, filters
        What it names. Markup in a text is escaped, and so is what no person can see.
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


def write_whole(file: Path, text: str) -> None:
    """Write a file as a whole or not at all: what stood there before stays if the disk is full.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8")  # a pipe or a device is written to as it is
        return
    draft = file.with_name(f"{file.name}{DRAFT}")
    try:
        with draft.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _visible(value: object) -> object:
    return escaped(value) if type(value) is str else value
