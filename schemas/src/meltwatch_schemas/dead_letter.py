"""Dead letters: a refused record's own key and bytes, with headers that say why and from where."""

from dataclasses import dataclass, replace
from typing import Final

from meltwatch_schemas.errors import ContractViolation, violation
from meltwatch_schemas.record import RawRecord, header

MAX_DETAIL: Final = 1000
MAX_LETTER_VALUE: Final = 6 * 1024 * 1024
MAX_LETTER_KEY: Final = 64 * 1024
MAX_LETTER_HEADERS: Final = 1024 * 1024
"""Together well below the 8 MiB that the topic takes."""
NO_TIMESTAMP: Final = -1
# Headers of a record that was sent again: its letter (topic/partition/offset), by whom and when.
REDRIVE_OF: Final = "redrive.of"
REDRIVE_BY: Final = "redrive.by"
REDRIVE_AT: Final = "redrive.at"
_OURS: Final = "dlq."
Headers = tuple[tuple[str, bytes | None], ...]
_MAX_DIGITS: Final = 18  # fits 64 bits whatever the digits


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused record, and why it was refused.

    Attributes
    ----------
    record
        The record as it was when it was refused: topic, partition, offset, timestamp, key, value
        and headers are its own.
    service
        Who refused it.
    error
        The value of ``dlq.error``: one of ``Refusal``, or a word of a newer version.
    detail
        One line: what was expected and what came.
    """

    record: RawRecord
    service: str
    error: str
    detail: str


def dead_letter_headers(
    record: RawRecord, service: str, refusal: ContractViolation
) -> list[tuple[str, bytes | None]]:
    """Return the headers of a record's dead letter: its own ones first, then ``dlq.*`` as text."""
    reasons = {
        "dlq.topic": record.topic,
        "dlq.partition": str(record.partition),
        "dlq.offset": str(record.offset),
        "dlq.timestamp": str(record.timestamp_ms),
        "dlq.service": service,
        "dlq.error": refusal.reason.value,
        "dlq.detail": refusal.detail[:MAX_DETAIL],
    }
    own = record.headers if _size_of(record.headers) <= MAX_LETTER_HEADERS else ()
    if _is_cut(record):
        reasons["dlq.cut"] = str(len(record.value or b""))
    return [*own, *((name, text.encode()) for name, text in reasons.items())]


def dead_letter_key(record: RawRecord) -> bytes | None:
    """Return the key of a record's dead letter: its own, cut where it is longer than any."""
    return None if record.key is None else record.key[:MAX_LETTER_KEY]


def dead_letter_value(record: RawRecord) -> bytes | None:
    """Return the value of a record's dead letter: its own bytes.

    Compressed, a record may be far larger than its batch: of one that no topic takes the beginning
    is kept, and the header ``dlq.cut`` tells its whole length.
    A record with neither key nor value gets an empty value, because Kafka's clients refuse to
    write one. Nothing is lost by that: no reader tells the two apart.
    """
    if record.value is None:
        return b"" if record.key is None else None
    return record.value[:MAX_LETTER_VALUE]


def read_dead_letter(letter: RawRecord) -> DeadLetter:
    """Return what a record of the dead letters topic tells; see ``dead_letter_headers``.

    Parameters
    ----------
    letter
        The record as it stands in the dead letters topic.

    Raises
    ------
    ContractViolation
        ``contract_violation`` if a header is missing or is not what it should be.
    """
    record = replace(
        letter,
        topic=_text(letter, "dlq.topic"),
        partition=_number(letter, "dlq.partition"),
        offset=_number(letter, "dlq.offset"),
        timestamp_ms=_timestamp(letter),
        headers=tuple(item for item in letter.headers if not item[0].startswith(_OURS)),
    )
    return DeadLetter(
        record,
        _text(letter, "dlq.service"),
        _text(letter, "dlq.error"),
        header(letter.headers, "dlq.detail") or "",
    )


def _is_cut(record: RawRecord) -> bool:
    whole = (record.value or b"", record.key or b"")
    too_long = len(whole[0]) > MAX_LETTER_VALUE or len(whole[1]) > MAX_LETTER_KEY
    return too_long or _size_of(record.headers) > MAX_LETTER_HEADERS


def _size_of(headers: Headers) -> int:
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)


def _text(letter: RawRecord, name: str) -> str:
    text = header(letter.headers, name)
    if not text:
        raise violation(f"expected the header {name} as UTF-8 text, found none")
    return text


def _timestamp(letter: RawRecord) -> int:
    """Return the record's timestamp; Kafka has -1 for none."""
    is_none = header(letter.headers, "dlq.timestamp") == str(NO_TIMESTAMP)
    return NO_TIMESTAMP if is_none else _number(letter, "dlq.timestamp")


def _number(letter: RawRecord, name: str) -> int:
    text = _text(letter, name)
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise violation(f"expected the header {name} as a whole number, got {text[:80]!r}")
    return int(text)
