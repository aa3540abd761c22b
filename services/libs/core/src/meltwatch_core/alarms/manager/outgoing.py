"""Messages as records to be written."""

from typing import Final

from meltwatch_schemas.codec import check_size
from meltwatch_schemas.dead_letter import (
    dead_letter_headers,
    dead_letter_key,
    dead_letter_value,
)
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic

SERVICE: Final = "alarm_manager"


def outgoing(topic: Topic, key: str, message: KeyedMessage) -> OutgoingRecord:
    """Return the record of a JSON message.

    Raises
    ------
    ContractViolation
        ``too_large`` if no reader would take it.
    """
    headers = tuple(headers_for(message.schema_id, JSON))
    value = message.to_json()
    check_size(value)
    return OutgoingRecord(topic, key.encode(), value, headers)


def tombstone(topic: Topic, key: str) -> OutgoingRecord:
    """Return the record by which readers forget a key."""
    return OutgoingRecord(topic, key.encode(), None, ())


def said(error: BaseException) -> str:
    """Return what an error says in one bounded line."""
    return escaped(f"{type(error).__name__}: {error}")[:300]


def dead_letter(record: RawRecord, refusal: ContractViolation) -> OutgoingRecord:
    """Return the dead letter of a refused record."""
    headers = tuple(dead_letter_headers(record, SERVICE, refusal))
    key, value = dead_letter_key(record), dead_letter_value(record)
    return OutgoingRecord(Topic.DEAD_LETTERS, key, value, headers)
