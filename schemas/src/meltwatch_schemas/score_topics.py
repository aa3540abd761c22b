"""What a score says of its input topics beside the cuts.

Their ids, what was never read, and where the newest frames stand.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from meltwatch_schemas.bounds import (
    MAX_INPUTS,
    MAX_NEWEST_FRAMES,
    MAX_OFFSET,
    MAX_WORD,
    check_most,
    check_text,
    check_whole,
)
from meltwatch_schemas.codec import Fields, check_time
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


class NewestFrame(NamedTuple):
    """Where a frame of a window stands, so that a picture costs one record.

    Attributes
    ----------
    offset
        Of its record, in the partition of the cut of the video.
    event_ns
        Its event time: a record may hold several frames.
    """

    offset: int
    event_ns: int


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


def read_frames(fields: Fields) -> tuple[NewestFrame, ...]:
    """Return the newest frames of a message, oldest first; none where it does not say.

    Raises
    ------
    ContractViolation
        ``malformed`` for a wrong type.
    """
    return tuple(map(_read_frame, fields.list("frames"))) if "frames" in fields else ()


def check_frames(frames: Sequence[NewestFrame]) -> None:
    """Refuse what lies beyond its bounds.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    check_most("frames", len(frames), MAX_NEWEST_FRAMES)
    for frame in frames:
        check_whole("frames: offset", frame.offset, MAX_OFFSET)
        check_time("frames: event time", frame.event_ns)


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


def _read_frame(value: object) -> NewestFrame:
    match value:
        case [int(offset), int(event_ns)] if bool not in map(type, value):
            return NewestFrame(offset, event_ns)
        case _:
            raise malformed(f"frames: expected [offset, event time], got {value!r}"[:200])
