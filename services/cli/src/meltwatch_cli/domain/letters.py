"""Dead letters as small values: filtered, counted, and whether each may be sent again."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.alarm_command import COMMAND_SCHEMA
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.dead_letter import (
    REDRIVE_AT,
    REDRIVE_BY,
    REDRIVE_OF,
    DeadLetter,
    read_dead_letter,
)
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_alarm_id
from meltwatch_schemas.instants import rfc3339
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import RawRecord, check_schema, read_current, read_embedding
from meltwatch_schemas.topics import Topic

UNREADABLE: Final = "unreadable"
"""Shown as the error of a record that is no dead letter at all."""
_CLAIM: Final = frozenset({REDRIVE_OF, REDRIVE_BY, REDRIVE_AT})


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its bytes.

    Attributes
    ----------
    id
        Its offset in the dead letters topic.
    time_ms
        When it was set aside, ms UTC, wall clock.
    error, detail, service
        Why and by whom; ``unreadable`` if the headers do not say.
    topic, partition, offset, timestamp_ms
        Of the refused record; None if the headers do not say.
    key
        Its key as text, what is no UTF-8 escaped; None without one.
    size_bytes
        Of its value.
    """

    id: int
    time_ms: int
    error: str
    detail: str
    service: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    timestamp_ms: int | None
    key: str | None
    size_bytes: int

    @property
    def origin(self) -> str | None:
        """The place of the refused record, ``topic/partition/offset``."""
        return None if self.topic is None else place(self.topic, self.partition, self.offset)


def place(topic: str, partition: int | None, offset: int | None) -> str:
    """Return a place in Kafka as text."""
    return f"{topic}/{partition}/{offset}"


def letter_of(raw: RawRecord) -> Letter:
    """Return what a record of the dead letters topic says."""
    key = None if raw.key is None else raw.key.decode(errors="backslashreplace")
    size_bytes = len(raw.value or b"")
    try:
        dead = read_dead_letter(raw)
    except ContractViolation as error:
        nothing = (None, None, None, None, None)
        return Letter(
            raw.offset, raw.timestamp_ms, UNREADABLE, error.detail, *nothing, key, size_bytes
        )
    return _letter(raw, dead, key, size_bytes)


def _letter(raw: RawRecord, dead: DeadLetter, key: str | None, size_bytes: int) -> Letter:
    origin = dead.record
    return Letter(
        id=raw.offset,
        time_ms=raw.timestamp_ms,
        error=dead.error,
        detail=dead.detail,
        service=dead.service,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        timestamp_ms=origin.timestamp_ms,
        key=key,
        size_bytes=size_bytes,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None means any.

    Attributes
    ----------
    error
        A word of ``dlq.error``.
    topic
        The refused record's topic, by full or short name (``embeddings``).
    furnace
        Its furnace id; alarms of the furnace are meant too.
    """

    error: str | None = None
    topic: str | None = None
    furnace: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether a letter is meant."""
        return (
            self.error in (None, letter.error)
            and (self.topic is None or _is_named(letter.topic or "", self.topic))
            and (self.furnace is None or _is_of(letter.key or "", self.furnace))
        )


def _is_named(topic: str, name: str) -> bool:
    return topic == name or topic.endswith(f".{name}.v1")


def _is_of(key: str, furnace: str) -> bool:
    return key == furnace or key.startswith(f"{furnace}/")


@dataclass(frozen=True, slots=True)
class Selection:
    """The newest letters that are meant, and how many there are.

    Attributes
    ----------
    letters
        At most the limit asked for, newest last.
    by_error
        How many letters are meant, by error.
    looked_at
        How many letters were read.
    """

    letters: tuple[Letter, ...]
    by_error: Counter[str]
    looked_at: int


def select(letters: Iterable[Letter], chosen: Filter, limit: int) -> Selection:
    """Return the newest letters that a filter takes, holding no more than the limit."""
    newest: deque[Letter] = deque(maxlen=limit)
    by_error: Counter[str] = Counter()
    looked_at = 0
    for letter in letters:
        looked_at += 1
        if chosen.takes(letter):
            by_error[letter.error] += 1
            newest.append(letter)
    return Selection(tuple(newest), by_error, looked_at)


def _read_command(record: RawRecord) -> object:
    check_schema(record, COMMAND_SCHEMA)
    check_alarm_id((record.key or b"").decode(errors="replace"))
    return parse_object(record.value or b"")


_READERS: Final[dict[Topic, Callable[[RawRecord], Any]]] = {
    Topic.EMBEDDINGS: read_embedding,
    Topic.CURRENTS: read_current,
    Topic.ALARM_COMMANDS: _read_command,
}


def refusal_now(record: RawRecord, prefix: str) -> str | None:
    """Return why a record would be refused today, as far as its bytes tell; None if it would not.

    Parameters
    ----------
    record
        The record as it was.
    prefix
        First part of the topic names.
    """
    topic = _topic_of(record, prefix)
    if topic not in _READERS:
        return None
    try:
        _READERS[topic](record)
    except ContractViolation as error:
        return str(error)
    return None


def objection(record: RawRecord, prefix: str, *, force: bool) -> str | None:
    """Return why a refused record must not be sent again, or None.

    Parameters
    ----------
    record
        The record as it was.
    prefix
        First part of the topic names: nothing is ever written elsewhere, whatever a header says.
    force
        Send what would be refused again.
    """
    topic = _topic_of(record, prefix)
    if topic is None:
        return f"expected a topic of {prefix}.*, got {record.topic[:120]!r}"
    if topic not in _READERS:
        names = ", ".join(_READERS)
        return f"expected a record of {names}, got one of {topic}, which only services write"
    size_bytes = len(record.value or b"")
    if size_bytes > MAX_RECORD_BYTES:
        return f"too_large: expected at most {MAX_RECORD_BYTES} bytes, got {size_bytes}"
    again = None if force else refusal_now(record, prefix)
    return again and f"it would be refused again (--force sends it): {again}"


def claimed(letter: RawRecord, by: str, at: datetime) -> RawRecord:
    """Return the refused record of a letter, with headers that say of which, by whom and when.

    Raises
    ------
    ContractViolation
        If it is no letter.
    """
    record = read_dead_letter(letter).record
    claim = {
        REDRIVE_OF: place(letter.topic, letter.partition, letter.offset),
        REDRIVE_BY: by,
        REDRIVE_AT: rfc3339(at),
    }
    own = tuple(item for item in record.headers if item[0] not in _CLAIM)
    return replace(record, headers=(*own, *((name, text.encode()) for name, text in claim.items())))


def _topic_of(record: RawRecord, prefix: str) -> Topic | None:
    return next((topic for topic in Topic if topic.under(prefix) == record.topic), None)
