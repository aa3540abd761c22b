"""From a raw Kafka record to a message: envelope first, payload second, refusals in order."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, TypeVar

from pydantic import ValidationError

from meltwatch_schemas import current, embedding, portrait, score
from meltwatch_schemas.bounds import MAX_HEADER_BYTES, MAX_HEADERS
from meltwatch_schemas.chunk import check_not_after_record
from meltwatch_schemas.codec import check_size
from meltwatch_schemas.current import CurrentChunk, decode_current
from meltwatch_schemas.embedding import EmbeddingChunk, decode_embedding
from meltwatch_schemas.errors import ContractViolation, Refusal, violation
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.portrait import Portrait, decode_portrait
from meltwatch_schemas.score import WindowScore, decode_score
from meltwatch_schemas.topics import Topic

MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"
_MINOR: Final = re.compile(r"[0-9]{1,9}")


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


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A Kafka record to be written.

    Attributes
    ----------
    topic
        Full name; or, of a rule that knows no prefix, a ``Topic``: see ``under``.
    key, value, headers
        As they will stand in Kafka.
    timestamp_ms
        Event time where the topic keeps event time, else None: the wall clock at sending.
    partition
        None leaves the choice to the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None = None
    partition: int | None = None

    def under(self, prefix: str) -> "OutgoingRecord":
        """Return the record with the full name of its ``Topic`` under a prefix."""
        return replace(self, topic=Topic(self.topic).under(prefix))


def headers_for(schema: str, content_type: str = MSGPACK) -> list[tuple[str, bytes]]:
    """Return the headers that every record carries."""
    return [("schema", schema.encode()), ("content-type", content_type.encode())]


@cache
def _own_headers(schema: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(headers_for(schema))


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


def check_schema(record: RawRecord, schema: str) -> None:
    """Refuse a record whose ``schema`` header is missing or of another kind or major.

    Parameters
    ----------
    record
        The record.
    schema
        What is expected, e.g. ``embedding/1.0``; any minor is accepted.

    Raises
    ------
    ContractViolation
        ``unknown_schema``.
    """
    kind, _, _ = schema.partition(".")
    text = header(record.headers, "schema")
    found, _, minor = (text or "").rpartition(".")
    if found != kind or _MINOR.fullmatch(minor) is None:
        raise ContractViolation(
            Refusal.UNKNOWN_SCHEMA, f"expected the header schema={kind}.x, got {text!r}"[:200]
        )


def check_content_type(record: RawRecord, content_type: str) -> None:
    """Refuse a record whose ``content-type`` header is missing or other.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    text = header(record.headers, "content-type")
    if text != content_type:
        raise violation(f"expected the header content-type={content_type}, got {text!r}"[:200])


def check_headers(record: RawRecord) -> None:
    """Refuse a record with more headers, or longer ones, than a copy of it may carry.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    if len(record.headers) > MAX_HEADERS:
        raise violation(f"headers: expected at most {MAX_HEADERS}, got more")
    size = sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    if size > MAX_HEADER_BYTES:
        raise violation(f"headers: expected at most {MAX_HEADER_BYTES} bytes, got {size}")


def check_key(record: RawRecord, name: str, value: str) -> None:
    """Refuse a record whose key differs from the field that repeats it.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    if record.key != value.encode():
        raise violation(f"key: expected the {name} {value!r}, got {record.key!r}"[:300])


def read_embedding(record: RawRecord) -> EmbeddingChunk:
    """Return the embedding chunk of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    chunk = _read(record, embedding.SCHEMA, decode_embedding)
    check_not_after_record(chunk.last_event_ns, record.timestamp_ms)
    return chunk


def read_current(record: RawRecord) -> CurrentChunk:
    """Return the current chunk of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    chunk = _read(record, current.SCHEMA, decode_current)
    check_not_after_record(chunk.last_event_ns, record.timestamp_ms)
    return chunk


def read_score(record: RawRecord) -> WindowScore:
    """Return the window score of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    return _read(record, score.SCHEMA, decode_score)


def read_portrait(record: RawRecord) -> Portrait:
    """Return the portrait of a record.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    return _read(record, portrait.SCHEMA, decode_portrait)


_Chunk = TypeVar("_Chunk")
_Keyed = TypeVar("_Keyed", bound=KeyedMessage)


def _read(
    record: RawRecord, schema: str, decode: Callable[[bytes, Callable[[str], None]], _Chunk]
) -> _Chunk:
    value = record.value or b""
    check_size(value)
    # Nearly every record has them as our producers write them: they need no second look.
    are_headers_known = record.headers == _own_headers(schema)
    if not are_headers_known:
        check_schema(record, schema)

    def check_envelope(furnace_id: str) -> None:
        if not are_headers_known:
            check_content_type(record, MSGPACK)
            check_headers(record)
        check_key(record, "furnace_id", furnace_id)

    return decode(value, check_envelope)


def read_json(record: RawRecord, model: type[_Keyed]) -> _Keyed:
    """Return the JSON message of a record.

    Parameters
    ----------
    record
        The record.
    model
        Which message is expected.

    Raises
    ------
    ContractViolation
        With the first reason that applies, in the order of ``Refusal``.
    """
    value = record.value or b""
    check_size(value)
    check_schema(record, model.schema_id)
    parse_object(value)
    try:
        message = model.from_json(value)
    except ValidationError as error:
        refusal = _refusal_of(error)
        if refusal.reason is not Refusal.MALFORMED:
            check_content_type(record, JSON)
        raise refusal from error
    check_content_type(record, JSON)
    check_headers(record)
    if model.key_field is not None:
        check_key(record, model.key_field, getattr(message, model.key_field))
    return message


def _refusal_of(error: ValidationError) -> ContractViolation:
    """Return what is wrong with a message, the first reason in the order of ``Refusal``."""
    problems = [(_reason_of(problem["type"]), problem) for problem in error.errors()]
    order = list(Refusal)
    reason, first = min(problems, key=lambda item: order.index(item[0]))
    where = ".".join(str(part) for part in first["loc"])
    return ContractViolation(reason, f"{where}: {first['msg']}, got {first['input']!r}"[:300])


def _reason_of(problem: str) -> Refusal:
    if problem == "missing" or problem.endswith("_type"):
        return Refusal.MALFORMED
    return Refusal.NON_FINITE if problem == "finite_number" else Refusal.CONTRACT_VIOLATION
