"""Redrives: dead letters sent to their topic again, and the journal of who sent which.

The journal is a topic that the catalogue does not name: a plant that never redrives has none. It
holds JSON ``RedriveNote`` (``redrive/1.0``) under the origin of the record that was refused,
``<topic>/<partition>/<offset>``. The order of its notes decides who may send.
"""

from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from meltwatch_schemas.bounds import MAX_OFFSET, MAX_PARTITION, Name, ToldUser
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.topics import check_prefix

REDRIVE_OF: Final = "redrive.of"
"""Header of a record that was sent again: its letter, ``<topic>/<partition>/<offset>``."""
JOURNAL_CONFIG: Final = {"cleanup.policy": "delete", "retention.ms": str(30 * 86_400_000)}
"""Kept longer than any letter, which lives 14 days and as long as its segment."""


def journal_topic(prefix: str) -> str:
    """Return the full name of the journal, a topic of one partition."""
    return f"{check_prefix(prefix)}.redrives.v1"


class Step(StrEnum):
    """What a note says: about to send, sent, or did not send after all."""

    CLAIMED = "claimed"
    SENT = "sent"
    RELEASED = "released"


class RedriveNote(KeyedMessage):
    """One step of sending a dead letter again."""

    schema_id: ClassVar[str] = "redrive/1.0"
    key_field: ClassVar[str | None] = "origin"

    origin: Name = Field(description="Where the refused record stands, topic/partition/offset.")
    letter: Name = Field(description="Its dead letter, topic/partition/offset.")
    step: Step = Field(description="claimed, sent or released.")
    run: Name = Field(description="The redrive's own id, new each time.")
    by: ToldUser = Field(description="Who redrives.")
    at: UtcTime = Field(description="Wall clock; of claims, from when on they hold.")
    topic: Name = Field(description="Where the record is sent.")
    partition: int = Field(ge=0, le=MAX_PARTITION, description="Into which partition.")
    offset: int = Field(
        ge=0,
        le=MAX_OFFSET,
        description="Of the record that was sent; of claims, the partition's end before sending.",
    )
