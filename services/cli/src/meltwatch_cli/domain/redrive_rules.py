"""Which dead letters may be sent again, and what will become of them."""

from collections.abc import Callable
from typing import Any, Final

from meltwatch_schemas.alarm import COMMAND_SCHEMA
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.dead_letter import NO_TIMESTAMP, DeadLetter
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.identifiers import check_alarm_id
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import RawRecord, check_schema, read_current, read_embedding
from meltwatch_schemas.topics import Topic

from meltwatch_cli.domain.wording import age_text

SOON_LATE_MS: Final = 10_000
"""Windows of an event this old are closed: the idle gap, the bounds and the hop have passed."""


def _read_command(record: RawRecord) -> object:
    check_schema(record, COMMAND_SCHEMA)
    check_alarm_id((record.key or b"").decode(errors="replace"))
    return parse_object(record.value or b"")


_READERS: Final[dict[Topic, Callable[[RawRecord], Any]]] = {
    Topic.EMBEDDINGS: read_embedding,
    Topic.CURRENTS: read_current,
    Topic.ALARM_COMMANDS: _read_command,
}
_CHANGEABLE: Final = {
    Refusal.UNEXPECTED_SOURCE: "refused again while another source has the furnace",
    Refusal.UNKNOWN_ENCODER: "refused again unless the ensemble serves its encoder by now",
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


def objection(dead: DeadLetter, prefix: str, *, force: bool) -> str | None:
    """Return why a letter must not be sent again, or None.

    Parameters
    ----------
    dead
        The letter.
    prefix
        First part of the topic names: nothing is ever written elsewhere, whatever a header says.
    force
        Send what would be refused again.
    """
    record = dead.record
    topic = _topic_of(record, prefix)
    if topic is None:
        return f"expected a topic of {prefix}.*, got {record.topic[:120]!r}"
    if topic not in _READERS:
        names = ", ".join(_READERS)
        return f"expected a record of {names}, got one of {topic}, which only services write"
    size_bytes = len(record.value or b"")
    if size_bytes > MAX_RECORD_BYTES:
        return f"too_large: expected at most {MAX_RECORD_BYTES} bytes, got {size_bytes}"
    again = refusal_now(record, prefix)
    if again is not None and not force:
        return f"it would be refused again (--force sends it): {again}"
    return None


def remarks(dead: DeadLetter, prefix: str, now_ms: int) -> list[str]:
    """Return what a person should know before or after a letter is sent again.

    Parameters
    ----------
    dead
        A letter without objection.
    prefix
        First part of the topic names.
    now_ms
        Wall clock, ms UTC.
    """
    found = [text for refusal, text in _CHANGEABLE.items() if dead.error == refusal]
    if (again := refusal_now(dead.record, prefix)) is not None:
        found.append(f"refused again: {again}")
    sent_ms = dead.record.timestamp_ms
    age_ms = 0 if sent_ms == NO_TIMESTAMP else now_ms - sent_ms
    if _topic_of(dead.record, prefix) is not Topic.ALARM_COMMANDS and age_ms > SOON_LATE_MS:
        found.append(f"{age_text(age_ms / 1000)} old: late if its furnace has gone on since")
    return found


def _topic_of(record: RawRecord, prefix: str) -> Topic | None:
    return next((topic for topic in Topic if topic.under(prefix) == record.topic), None)
