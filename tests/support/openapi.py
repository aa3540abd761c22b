"""The console's API for other languages: ``python -m tests.support.openapi``.

Writes ``schemas/openapi.yaml`` from the application that the console itself puts together.
"""

from pathlib import Path
from typing import Any, Final

import yaml
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.metrics import Metrics
from meltwatch_console.adapters.http.described import document_of
from meltwatch_console.bootstrap import assembled
from meltwatch_console.settings import Settings

DOCUMENT: Final = Path(__file__).parents[2] / "schemas" / "openapi.yaml"
_HEAD: Final = "# Made from the console's routes: change them, then run make schemas.\n"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as lines, and nothing as a reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)


def openapi() -> dict[str, Any]:
    """Return the document of a console with its default settings."""
    return document_of(assembled(Settings(), SystemClock(), Metrics()).app)


def document_text() -> str:
    """Return it as it stands in the file."""
    return _HEAD + yaml.dump(
        openapi(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document_text())
