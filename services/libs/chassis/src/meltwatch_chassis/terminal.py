"""What commands print: every line for a person or a pipe goes through here.

Text from outside can control a terminal or forge a line. It is escaped here, once for all fields,
present and future.
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
    """Write one line about the command itself to standard error, if that is still open."""
    with suppress(OSError):
        sys.stderr.write(f"{escaped(text)}\n")
        sys.stderr.flush()


def print_failure(program: str, text: str) -> None:
    """Write why a program ends, in one line on standard error."""
    print_notice(f"{program}: {' '.join(text.split())}")


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON in UTF-8; characters that must not reach a terminal are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=not _takes_unicode())
    if _SEEN_AS_IS.fullmatch(text):
        return text
    return "".join(c if c == "\n" or is_printable(c) else json.dumps(c)[1:-1] for c in text)


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _write_out(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
