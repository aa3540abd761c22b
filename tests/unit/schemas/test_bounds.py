"""Every field of every message has bounds on both sides, and the published schemas tell them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import CommandResult, ResultCode
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.bounds import MAX_COMMENT, MAX_HEADER_BYTES, MAX_TEXT, MAX_USER, MAX_WORDS
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.record import JSON, headers_for, read_current, read_json

from tests.support.asyncapi import message_schemas
from tests.support.builders import (
    ALARM,
    FURNACE,
    NOON_NS,
    alarm_point,
    alarm_record,
    current_chunk,
    raw_record,
)

UNJUDGED = {"alarm-command"}
"""Judged by the alarm manager, which answers; see the contract's order of codes."""
S = 1_000_000_000


def fields_of(schema: Any, root: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give every field at the bottom of a JSON Schema."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]] | schema
    for option in schema.get("anyOf", ()):
        yield from fields_of(option, root, path)
    kinds = schema.get("type", ())
    if "object" in kinds:
        for name, child in schema.get("properties", {}).items():
            yield from fields_of(child, root, f"{path}.{name}")
        if isinstance(more := schema.get("additionalProperties"), dict):
            yield from fields_of(more, root, f"{path}.*")
    elif "array" in kinds:
        yield path, schema
        yield from fields_of(schema["items"], root, f"{path}[]")
    elif kinds:
        yield path, schema


def is_bounded(schema: Any) -> bool:
    kinds = schema["type"]
    if "string" in kinds:
        said = {"maxLength", "enum", "const", "pattern", "format"}
        return bool(said & schema.keys())
    if "array" in kinds:
        return "maxItems" in schema
    if "integer" in kinds or "number" in kinds:
        low = {"minimum", "exclusiveMinimum"} & schema.keys()
        return bool(low) and bool({"maximum", "exclusiveMaximum"} & schema.keys())
    return "boolean" in kinds or "null" in kinds


@pytest.mark.parametrize("name", sorted(message_schemas().keys() - UNJUDGED))
def test_every_field_of_a_message_has_bounds_on_both_sides(name: str) -> None:
    schema = message_schemas()[name]
    fields = list(fields_of(schema, schema, name))

    assert len(fields) > 2
    assert [path for path, field in fields if not is_bounded(field)] == []


def point(**changes: Any) -> dict[str, Any]:
    return dict(json.loads(alarm_point().to_json()), **changes)


def refusal_of(fields: dict[str, Any]) -> Refusal | None:
    headers = headers_for(AlarmPoint.schema_id, JSON)
    record = raw_record(json.dumps(fields).encode(), key=ALARM.encode(), headers=headers)
    try:
        read_json(record, AlarmPoint)
    except ContractViolation as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("delay_s", [1e308, 86_400.001, -0.001])
def test_a_delay_beyond_a_day_is_refused(delay_s: float) -> None:
    delays = {"logit_on": 1.0, "logit_off": 0.0, "on_delay_s": delay_s}

    assert refusal_of(point(setpoint=delays)) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point(setpoint=delays | {"on_delay_s": 86_400})) is None


@pytest.mark.parametrize("name", ["title", "operator_action", "consequence_if_no_action", "owner"])
def test_a_text_that_is_too_long_or_cannot_be_shown_is_refused(name: str) -> None:
    assert refusal_of(point(**{name: "ö" * MAX_TEXT})) is None
    assert refusal_of(point(**{name: "ö" * (MAX_TEXT + 1)})) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point(**{name: "\x1b[2J"})) is Refusal.CONTRACT_VIOLATION


@pytest.mark.parametrize(
    "since",
    [
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z",
        "2300-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_a_time_that_no_clock_shows_is_refused(since: str) -> None:
    state = {"state": "off", "since": since, "by": "mes"}
    record = raw_record(
        json.dumps(state).encode(),
        key=FURNACE.encode(),
        headers=headers_for("furnace-state/1.0", JSON),
    )

    with pytest.raises(ContractViolation) as refusal:
        read_json(record, FurnaceState)

    assert refusal.value.reason is Refusal.CONTRACT_VIOLATION


def test_an_alarm_that_an_earlier_version_wrote_is_read_and_can_be_shown() -> None:
    typed = "\x1b]0;owned\x07" + "x" * 240_000
    by_hand = {"from": "UNACK", "to": "ACKED", "cause": "ACK", "by": typed, "comment": typed}
    old = json.loads(alarm_record().to_json()) | {"transition": by_hand, "ack_by": typed}

    record = AlarmRecord.from_json(json.dumps(old).encode())

    assert record.transition.comment is not None
    assert record.transition.comment.startswith("\\x1b]0;owned\\x07xxx")
    assert len(record.transition.comment) == MAX_COMMENT
    assert len(record.ack_by or "") == MAX_USER
    assert AlarmRecord.from_json(record.to_json()) == record


def test_the_largest_alarm_and_answer_are_no_larger_than_their_readers_take() -> None:
    long = "\U00020000" * 10_000
    words = [long] * MAX_WORDS
    at = utc_from_ns(NOON_NS)
    model = {"name": long, "version": long, "digest": long, "preproc": long}
    guidance = {"consequence": long, "action": long, "time_to_respond_s": 1, "url": long}
    record = alarm_record(
        title=long, message=long, suppressed=words, quality_reasons=words, ack_by=long,
        transition={"from": "NORM", "to": "UNACK", "cause": long, "by": long, "comment": long},
        shelve={"until": at, "by": long, "reason": long}, model=model, guidance=guidance,
        config_rev=long, run_id=long, occurrence_id=long, event_id=long, traceparent=long,
    )  # fmt: skip
    answer = CommandResult(
        command_id=long, alarm_id=ALARM, result="refused", code=ResultCode.MALFORMED, detail=long,
        event_id=long, at=at,
    )  # fmt: skip

    for message in (record, answer):
        assert len(message.to_json()) < MAX_RECORD_BYTES
        assert type(message).from_json(message.to_json()) == message


def current_refusal(**envelope: Any) -> Refusal | None:
    given = {"headers": headers_for("current/1.0"), "key": FURNACE.encode()} | envelope
    try:
        read_current(raw_record(encode_current(current_chunk()), **given))
    except ContractViolation as refusal:
        return refusal.reason
    return None


def test_headers_longer_than_a_copy_may_carry_are_refused() -> None:
    own = headers_for("current/1.0")
    room = MAX_HEADER_BYTES - sum(len(name) + len(value) for name, value in own)

    assert current_refusal(headers=[*own, ("x", bytes(room - 1))]) is None
    long = [*own, ("x", bytes(room))]
    assert current_refusal(headers=long) is Refusal.CONTRACT_VIOLATION


def test_an_event_after_its_own_record_is_in_the_future_whatever_the_message_says() -> None:
    # The broker bounds the record's timestamp by its clock, the message's own times are only said.
    last_ms = (NOON_NS + S // 2) // 10**6

    assert current_refusal(timestamp_ms=last_ms - 10_000) is None
    assert current_refusal(timestamp_ms=last_ms - 10_001) is Refusal.FUTURE_EVENT_TIME
    assert current_refusal(timestamp_ms=-1) is None
