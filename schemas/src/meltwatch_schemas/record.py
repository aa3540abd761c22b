"""From a raw Kafka record to a message: envelope first, payload second, refusals in order."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from meltwatch_schemas import current, embedding, score
from meltwatch_schemas.codec import check_size
from meltwatch_schemas.current import CurrentChunk, decode_current
from meltwatch_schemas.embedding import EmbeddingChunk, decode_embedding
from meltwatch_schemas.errors import ContractViolation, Refusal, violation
from meltwatch_schemas.score import WindowScore, decode_score

MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"

_SCHEMA: Final = re.compile(r"(?P<name>[a-z-]+)/(?P<major>\d{1,4})\.\d{1,9}")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A Kafka record as it came.

    Attributes
    ----------
    topic, partition, offset
        Where it stands.
    timestamp_ms
        The record's own timestamp.
    key, value
        Untouched bytes; None where Kafka has none.
    headers
        In order; of repeated ones the last counts.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def headers_for(schema: str, content_type: str = MSGPACK) -> list[tuple[str, bytes]]:
    """Return the headers that every record carries."""
    return [("schema", schema.encode()), ("content-type", content_type.encode())]


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """Return the last header of a name as text, or None if it is missing or no UTF-8."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    try:
        return None if found is None else found.decode()
    except UnicodeDecodeError:
        return None


def check_schema(record: RawRecord, name: str, major: int = 1) -> None:
    """Refuse a record whose ``schema`` header is missing or of another kind; any minor is accepted.

    Raises
    ------
    ContractViolation
        ``unknown_schema``.
    """
    text = header(record.headers, "schema")
    match = _SCHEMA.fullmatch(text or "")
    if match is None or (match["name"], int(match["major"])) != (name, major):
        raise ContractViolation(
            Refusal.UNKNOWN_SCHEMA,
            f"expected the header schema={name}/{major}.x, got {text!r}"[:200],
        )


def read_embedding(record: RawRecord) -> EmbeddingChunk:
    """Return the embedding chunk of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    return _read(record, embedding.SCHEMA, decode_embedding)


def read_current(record: RawRecord) -> CurrentChunk:
    """Return the current chunk of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    return _read(record, current.SCHEMA, decode_current)


def read_score(record: RawRecord) -> WindowScore:
    """Return the window score of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    return _read(record, score.SCHEMA, decode_score)


_Message = TypeVar("_Message")


def _read(
    record: RawRecord, schema: str, decode: Callable[[bytes, Callable[[str], None]], _Message]
) -> _Message:
    value = record.value or b""
    check_size(value)
    check_schema(record, schema.partition("/")[0])

    def check_envelope(furnace_id: str) -> None:
        content_type = header(record.headers, "content-type")
        if content_type != MSGPACK:
            raise violation(
                f"expected the header content-type={MSGPACK}, got {content_type!r}"[:200]
            )
        if record.key != furnace_id.encode():
            raise violation(
                f"key: expected the furnace_id {furnace_id!r}, got {record.key!r}"[:300]
            )

    return decode(value, check_envelope)
