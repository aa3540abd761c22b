"""What a message says: what, where, since when, how bad, what to do, how long is left."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from meltwatch_schemas.alarm import AlarmRecord, Evidence, Quality
from meltwatch_schemas.text import escaped
from meltwatch_schemas.wording import age_text, plant_time, shortened, surprise_text

from meltwatch_notify_gateway.domain.call import Call, Notice

MOST_LINES: Final = 10
"""Alarms that a message names; the others it counts."""
LONGEST_TITLE: Final = 150
_LONGEST_LINE: Final = 400


@dataclass(frozen=True, slots=True)
class MessageText:
    """One message, plain text.

    Attributes
    ----------
    title
        One line.
    body
        Some lines.
    """

    title: str
    body: str


def message_of(notice: Notice, now: datetime, longest: int) -> MessageText:
    """Return what a notice says.

    Parameters
    ----------
    notice
        What is told.
    now
        For the time that is left.
    longest
        Characters of title and body together.
    """
    first, *others = notice.calls
    told_before = "Reminder, not acknowledged: " if first.token in notice.reminded else ""
    more = f" and {_alarms(len(others), 'more')}" if others else ""
    title = f"{told_before}{notice.priority.upper()}: {_name(first)}"
    title = shortened(escaped(title), LONGEST_TITLE - len(more)) + more
    lines = [*_details(first, now), *_rest(others, notice)]
    body = "\n".join(shortened(escaped(line), _LONGEST_LINE) for line in lines)
    title = shortened(title, longest)
    return MessageText(title, shortened(body, longest - len(title)) if longest > len(title) else "")


def trial_message(channel: str, now: datetime) -> MessageText:
    """Return a message that nobody can take for an alarm."""
    return MessageText(
        "TEST: no alarm, Meltwatch tries this channel",
        f"This is a test of the channel {channel}, sent at {plant_time(now, UTC)}.\n"
        "Nothing is wrong, and nothing needs to be done.",
    )


def _alarms(count: int, more: str) -> str:
    return f"{count} {more} alarm{'s' if count > 1 else ''}"


def _name(call: Call) -> str:
    if call.record is None:
        return f"Meltwatch, {call.alarm_id.rpartition('/')[2].replace('_', ' ').lower()}"
    condition = call.alarm_id.rpartition("/")[2]
    return f"{call.record.equipment_path} {condition}: {call.record.title}"


def _details(call: Call, now: datetime) -> Iterator[str]:
    record = call.record
    zone = _zone(record)
    yield f"What: {call.words if record is None else record.message}"
    yield f"Where: {call.alarm_id}"
    yield f"Since: {plant_time(call.since, zone)}"
    if record is None:
        return
    yield from _judged(record)
    if not record.active:
        yield "State: returned to normal, not acknowledged"
    yield f"Do: {record.guidance.action}"
    if record.active:
        left_s = record.guidance.time_to_respond_s - (now - call.since).total_seconds()
        yield f"Time left: {age_text(left_s) if left_s >= 0 else f'none, {age_text(-left_s)} over'}"
    if record.display_url:
        yield f"Display: {record.display_url}"


def _judged(record: AlarmRecord) -> Iterator[str]:
    evidence = record.evidence
    if record.class_ != "system":
        yield _score(evidence)
    if record.quality is not Quality.GOOD:
        reasons = ", ".join(record.quality_reasons) or "no reason given"
        yield f"Input: {record.quality}, {reasons}"


def _score(evidence: Evidence) -> str:
    if evidence.imbalance_on is not None:
        share = "unknown" if evidence.imbalance is None else f"{evidence.imbalance:.1%}"
        return f"Imbalance: {share} of the mean current, alarm from {evidence.imbalance_on:.1%}"
    if evidence.novelty_on is not None:
        return f"Surprise: {surprise_text(evidence)}, alarm from {evidence.novelty_on:.2f}"
    score = "unknown" if evidence.score is None else f"{evidence.score:.2f}"
    likely = "" if evidence.probability is None else f" (probability {evidence.probability:.1%})"
    return f"Score: {score}{likely}, alarm from {evidence.threshold:.2f}"


def _rest(others: list[Call], notice: Notice) -> Iterator[str]:
    if not others:
        return
    yield ""
    yield f"This was the first of {_alarms(len(others) + 1, 'open')}. The others:"
    for call in others[: MOST_LINES - 1]:
        again = ", told before" if call.token in notice.reminded else ""
        since = plant_time(call.since, _zone(call.record))
        yield f"- {call.priority.upper()} {_name(call)}, since {since}{again}"
    if (left := len(others) - MOST_LINES + 1) > 0:
        yield f"… and {_alarms(left, 'more')}"


def _zone(record: AlarmRecord | None) -> tzinfo:
    """Return the plant's time zone; UTC where nobody has said it, or this machine has none such."""
    if record is None or record.time_zone is None:
        return UTC
    try:
        return ZoneInfo(record.time_zone)
    except (ValueError, OSError, LookupError):
        return UTC
