"""The way to a person's eyes and to a program's pipe: every line of a command goes through here.

Text from outside can hold what steers a terminal or forges a line; it is escaped here, once for
every field there is and will be.
"""

import json
import re
import sys
from contextlib import suppress
from typing import Any, Final

from meltwatch_schemas.text import escaped, is_printable

_SEEN_AS_IS: Final = re.compile(r"[\n -~]+")


def print_line(text: str) -> None:
    """Write one line to standard output at once, so that a pipe sees it."""
    _write_out(escaped(text))


def print_lines(*texts: str) -> None:
    """Write some lines to standard output, each escaped by itself."""
    for text in texts:
        print_line(text)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Write one JSON document to standard output, on one line without indent."""
    _write_out(json_text(value, indent))


def print_notice(text: str) -> None:
    """Write one line about the command itself to standard error, if anybody can read it there."""
    with suppress(OSError):
        sys.stderr.write(f"{escaped(text)}\n")
        sys.stderr.flush()


def print_failure(program: str, text: str) -> None:
    """Write why a program ends, in one line on standard error."""
    print_notice(f"{program}: {' '.join(text.split())}")


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON as UTF-8 allows it, but for characters that no person should be shown raw."""
    text = json.dumps(value, indent=indent, ensure_ascii=not _takes_unicode())
    if _SEEN_AS_IS.fullmatch(text):
        return text
    return "".join(c if c == "\n" or is_printable(c) else json.dumps(c)[1:-1] for c in text)


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _write_out(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
