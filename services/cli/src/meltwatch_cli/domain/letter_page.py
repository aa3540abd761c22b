"""All about one dead letter, on one page."""

from collections.abc import Sequence
from typing import Final

from meltwatch_schemas.alarm import rfc3339
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.redrive import RedriveNote
from meltwatch_schemas.text import escaped

from meltwatch_cli.domain.letter_content import fields_of, hex_dump
from meltwatch_cli.domain.letter_wording import time_text
from meltwatch_cli.domain.letters import Letter
from meltwatch_cli.domain.wording import age_text, shortened

_MAX_HEADER: Final = 200


def page(
    letter: Letter, record: RawRecord, again: str | None, sent: RedriveNote | None, now_ms: int
) -> list[str]:
    """Return everything about a letter, line by line.

    Parameters
    ----------
    letter
        The letter.
    record
        The refused record; the letter's own where its headers do not tell of another.
    again
        Why it would be refused today, None if it would not.
    sent
        The note of its redrive, None without one.
    now_ms
        Wall clock, ms UTC.
    """
    facts = {
        "letter": f"{letter.id}, set aside {time_text(letter.time_ms) or '-'}, "
        f"{age_text((now_ms - letter.time_ms) / 1000)} ago, by {letter.service or 'nobody known'}",
        "error": letter.error,
        "detail": letter.detail,
        "today": "it would be read" if again is None else f"refused again: {again}",
        "from": letter.origin or "unknown",
        "timestamp": time_text(letter.timestamp_ms) or "-",
        "key": letter.key or "-",
        "size": f"{letter.size_bytes} bytes",
        "redriven": "no" if sent is None else f"{_place(sent)}, {rfc3339(sent.at)} by {sent.by}",
    }
    lines = [f"{name:<10} {escaped(text)}" for name, text in facts.items()]
    return [*lines, "", *_header_lines(record), "", *_content_lines(record)]


def headers_of(record: RawRecord) -> dict[str, str]:
    """Return a record's headers as text; of repeated ones the last counts, null ones are ``-``."""
    return {
        name: "-" if value is None else value.decode(errors="backslashreplace")
        for name, value in record.headers
    }


def _header_lines(record: RawRecord) -> Sequence[str]:
    return [
        "headers",
        *(
            f"  {escaped(name)} = {shortened(escaped(text), _MAX_HEADER)}"
            for name, text in headers_of(record).items()
        ),
    ]


def _content_lines(record: RawRecord) -> Sequence[str]:
    fields = fields_of(record)
    if fields is None:
        return ["value (neither a msgpack map nor a JSON object)", *hex_dump(record.value or b"")]
    width = max(map(len, fields), default=0)
    return ["value", *(f"  {name:<{width}}  {text}" for name, text in fields.items())]


def _place(note: RedriveNote) -> str:
    return f"to {note.topic}/{note.partition} at {note.offset}"
