"""How dead letters are listed and shown: for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.codec import unpack
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import JSON, RawRecord, header
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import INT64_MAX
from meltwatch_schemas.wording import age_text, day_and_clock, shortened

from meltwatch_cli.domain.letters import Letter, Selection

COLUMNS: Final = ("TIME", "ID", "ERROR", "FROM", "KEY", "SIZE", "DETAIL")
"""Headings of the list."""
_DETAIL_WIDTH: Final = 48
_DUMPED_BYTES: Final = 256
_MAX_FIELDS: Final = 64
_MAX_TEXT: Final = 200
_MAX_SHOWN_ITEMS: Final = 8
_YEAR_9999_MS: Final = 253_402_300_799_000


def row(letter: Letter) -> tuple[str, ...]:
    """Return the cells of a letter under ``COLUMNS``."""
    return (
        _moment_text(letter.time_ms),
        str(letter.id),
        escaped(letter.error),
        escaped(_short_origin(letter)),
        escaped(letter.key or "-"),
        _size_text(letter.size_bytes),
        shortened(escaped(letter.detail), _DETAIL_WIDTH),
    )


def as_json_object(letter: Letter) -> dict[str, Any]:
    """Return a letter for programs."""
    return {
        "id": letter.id,
        "time": _time_text(letter.time_ms),
        "error": letter.error,
        "detail": letter.detail,
        "service": letter.service,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": _time_text(letter.timestamp_ms),
        "key": letter.key,
        "size_bytes": letter.size_bytes,
    }


def totals_line(selection: Selection, *, is_cut: bool) -> str:
    """Return one line: how many letters, by error, and of how many that were read."""
    counted = selection.by_error.most_common()  # the commonest first
    by_error = ", ".join(f"{count} {escaped(error)}" for error, count in counted)
    total = selection.by_error.total()
    looked = f"of the newest {selection.looked_at}, --scan looks further" if is_cut else ""
    inside = "; ".join(text for text in (by_error, looked) if text)
    return f"{total} dead letters" + (f" ({inside})" if inside else "")


def page(letter: Letter, record: RawRecord, again: str | None, now_ms: int) -> list[str]:
    """Return everything about a letter, line by line.

    Parameters
    ----------
    letter
        The letter.
    record
        The refused record; the letter's own where its headers do not tell of another.
    again
        Why it would be refused today, None if it would not.
    now_ms
        Wall clock, ms UTC.
    """
    facts = {
        "letter": f"{letter.id}, set aside {_time_text(letter.time_ms) or '-'}, "
        f"{age_text((now_ms - letter.time_ms) / 1000)} ago, by {letter.service or 'nobody known'}",
        "error": letter.error,
        "detail": letter.detail,
        "today": "it would be read" if again is None else f"refused again: {again}",
        "from": letter.origin or "unknown",
        "timestamp": _time_text(letter.timestamp_ms) or "-",
        "key": letter.key or "-",
        "size": f"{letter.size_bytes} bytes",
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
            f"  {escaped(name)} = {shortened(escaped(text), _MAX_TEXT)}"
            for name, text in headers_of(record).items()
        ),
    ]


def _content_lines(record: RawRecord) -> Sequence[str]:
    fields = fields_of(record)
    if fields is None:
        return ["value (neither a msgpack map nor a JSON object)", *_hex_dump(record.value or b"")]
    width = max(map(len, fields), default=0)
    return ["value", *(f"  {name:<{width}}  {text}" for name, text in fields.items())]


def fields_of(record: RawRecord) -> dict[str, str] | None:
    """Return the fields of a record's value as text, None if it is neither msgpack nor JSON.

    It is only looked at: nothing in it is ever run, and every length is bounded.
    """
    value = record.value or b""
    try:
        if header(record.headers, "content-type") == JSON or value[:1] == b"{":
            return dict(_texts(parse_object(value), ""))
        fields = unpack(value)
    except ContractViolation:
        return None
    return dict(_texts({name: fields[name] for name in fields.keys()[:_MAX_FIELDS]}, ""))


def _hex_dump(value: bytes) -> list[str]:
    """Return the first bytes as lines of offset, hexadecimal and ASCII."""
    lines = []
    for start in range(0, min(len(value), _DUMPED_BYTES), 16):
        part = value[start : min(start + 16, _DUMPED_BYTES)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {text}")
    if len(value) > _DUMPED_BYTES:
        lines.append(f"… {len(value) - _DUMPED_BYTES} more bytes")
    return lines


def _texts(values: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name, value in list(values.items())[:_MAX_FIELDS]:
        path = escaped(f"{within}{name}")
        if isinstance(value, dict) and value and len(within) < _MAX_TEXT:
            yield from _texts({str(key): item for key, item in value.items()}, f"{within}{name}.")
        else:
            yield path, _text(str(name), value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict | list) and not _is_short_list(value):
        return f"{type(value).__name__} of {len(value)}"
    text = shortened(escaped(value if isinstance(value, str) else repr(value)), _MAX_TEXT)
    if name.endswith("_ns") and type(value) is int and 10**17 < value <= INT64_MAX:
        return f"{text}  ({rfc3339(utc_from_ns(value))})"
    return text


def _is_short_list(value: Any) -> bool:
    plain = (str, int, float, bool, type(None))
    return (
        isinstance(value, list)
        and len(value) <= _MAX_SHOWN_ITEMS
        and all(isinstance(item, plain) for item in value)
    )


def _short_origin(letter: Letter) -> str:
    """Return the origin without prefix and version: ``embeddings/3/4711``."""
    if letter.topic is None:
        return "-"
    name = letter.topic.removesuffix(".v1").rpartition(".")[2]
    return f"{name}/{letter.partition}/{letter.offset}"


def _size_text(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 10_000 else f"{size_bytes / 1000:.0f} kB"


def _moment_text(time_ms: int) -> str:
    return day_and_clock(_instant(time_ms)) if time_ms <= _YEAR_9999_MS else "far future"


def _instant(time_ms: int) -> datetime:
    return utc_from_ns(time_ms * 1_000_000)


def _time_text(time_ms: int | None) -> str | None:
    """Return a time as RFC 3339 text, None for none and for what no calendar knows."""
    if time_ms is None or not 0 <= time_ms <= _YEAR_9999_MS:
        return None
    return rfc3339(_instant(time_ms))
