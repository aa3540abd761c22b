"""What a score says of its input topics beside the cuts: their ids, and what was never read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from meltwatch_schemas.bounds import (
    MAX_INPUTS,
    MAX_OFFSET,
    MAX_WORD,
    check_most,
    check_text,
    check_whole,
)
from meltwatch_schemas.codec import Fields
from meltwatch_schemas.errors import malformed

MAX_TOPIC_ID: Final = 64


class GapCause(StrEnum):
    """Why records of an input partition were never read; readers take any word."""

    MOVED = "moved"
    """Somebody moved the committed offset of the group past them."""
    RETENTION = "retention"
    """Kafka had deleted them."""
    REPLACED = "replaced"
    """The topic was deleted and made again."""


class HistoryGap(NamedTuple):
    """Records of an input partition that were passed over unread.

    Attributes
    ----------
    cause
        Why, as ``GapCause`` says it.
    records
        How many offsets; None where it is not known.
    """

    cause: str
    records: int | None


def gaps_message(gaps: Mapping[str, HistoryGap]) -> dict[str, list[Any]]:
    """Return the gaps by topic as they stand in a message."""
    return {topic: [str(gap.cause), gap.records] for topic, gap in gaps.items()}


def read_gaps(fields: Fields | None) -> dict[str, HistoryGap]:
    """Return the gaps of a message.

    Raises
    ------
    ContractViolation
        ``malformed`` for a wrong type.
    """
    return {topic: _read_gap(fields, topic) for topic in fields.keys()} if fields else {}  # noqa: SIM118 - no mapping


def read_topic_ids(fields: Fields | None) -> dict[str, str]:
    """Return the ids by topic of a message.

    Raises
    ------
    ContractViolation
        ``malformed`` for a wrong type.
    """
    return {topic: fields.text(topic) for topic in fields.keys()} if fields else {}  # noqa: SIM118 - no mapping


def check_score_topics(topic_ids: Mapping[str, str], gaps: Mapping[str, HistoryGap]) -> None:
    """Refuse what lies beyond its bounds.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    check_most("topic_ids", len(topic_ids), MAX_INPUTS)
    for topic, topic_id in topic_ids.items():
        check_text("topic_ids", topic)
        check_text(f"topic_ids.{topic}", topic_id, MAX_TOPIC_ID)
    check_most("gaps", len(gaps), MAX_INPUTS)
    for topic, gap in gaps.items():
        check_text("gaps", topic)
        check_text(f"gaps.{topic}", gap.cause, MAX_WORD)
        if gap.records is not None:
            check_whole(f"gaps.{topic}", gap.records, MAX_OFFSET)


def _read_gap(fields: Fields, topic: str) -> HistoryGap:
    values = fields.list(topic)
    match values:
        case [str(cause), None]:
            return HistoryGap(cause, None)
        case [str(cause), int(records)] if not isinstance(records, bool):
            return HistoryGap(cause, records)
        case _:
            raise malformed(f"gaps.{topic}: expected [cause, records], got {values!r}"[:200])
