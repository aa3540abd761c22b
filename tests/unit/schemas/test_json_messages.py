import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, AlarmState, Heartbeat, Priority
from meltwatch_schemas.alarm_command import AlarmCommand, Command, CommandResult, ResultCode
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.instants import ns_from_utc, rfc3339, utc_from_ns
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.outside import AlarmReceipt, FurnaceState
from meltwatch_schemas.record import JSON, headers_for, read_json
from pydantic import ValidationError

from tests.support.builders import (
    ALARM,
    NOON_NS,
    alarm_command,
    alarm_point,
    alarm_record,
    raw_record,
)

NOON = "2025-06-15T15:06:40.000000Z"
SETPOINT = {"logit_on": 1.0, "logit_off": 0.0}
STATE = {"state": "tapping", "since": NOON, "by": "mes"}
HEARTBEAT = Heartbeat(
    service="alarm_manager", epoch=3, seq=9, active_alarms=0, at=utc_from_ns(NOON_NS)
)
RESULT = CommandResult(
    command_id=None, alarm_id=ALARM, result="refused", code=ResultCode.MALFORMED,
    detail="expected a command", at=utc_from_ns(NOON_NS),
)  # fmt: skip
RECEIPT = AlarmReceipt(
    alarm_id=ALARM, event_id="0" * 32, adapter="opcua", delivered_at=utc_from_ns(NOON_NS),
    status="delivered",
)  # fmt: skip
MESSAGES: list[KeyedMessage] = [
    alarm_point(),
    alarm_record(),
    alarm_command(),
    HEARTBEAT,
    RESULT,
    RECEIPT,
    FurnaceState.from_json(json.dumps(STATE).encode()),
]


def refusal_of(
    value: bytes | dict[str, Any], model: type[KeyedMessage] = AlarmPoint, **changes: Any
) -> Refusal | None:
    changes = {"key": ALARM.encode(), "headers": headers_for(model.schema_id, JSON)} | changes
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        read_json(raw_record(content, **changes), model)
    except ContractViolation as refusal:
        return refusal.reason
    return None


def point(**changes: Any) -> dict[str, Any]:
    return dict(json.loads(alarm_point().to_json()), **changes)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_json_message_comes_back_as_it_was_sent(message: KeyedMessage) -> None:
    field = message.key_field
    key = ALARM if field is None else getattr(message, field)
    record = raw_record(
        message.to_json(), key=key.encode(), headers=headers_for(message.schema_id, JSON)
    )

    assert read_json(record, type(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_field_of_a_json_message_is_described(message: KeyedMessage) -> None:
    assert all(field.description for field in type(message).model_fields.values())


def test_times_on_the_wire_are_rfc_3339_utc_with_microseconds() -> None:
    assert json.loads(alarm_record().to_json())["raise_time"] == NOON
    assert rfc3339(datetime(2025, 6, 15, 17, 6, 40, 5, timezone(timedelta(hours=2)))) == (
        "2025-06-15T15:06:40.000005Z"
    )


@given(st.integers(0, 2**63 - 1))
def test_nanoseconds_become_microseconds_rounded_down(time_ns: int) -> None:
    assert ns_from_utc(utc_from_ns(time_ns)) == time_ns // 1000 * 1000


def test_a_time_without_its_zone_is_refused() -> None:
    assert refusal_of(point(approved_at="2025-06-15T15:06:40")) is Refusal.CONTRACT_VIOLATION


def test_a_time_in_another_zone_is_turned_into_utc() -> None:
    state = FurnaceState.from_json(
        json.dumps(STATE | {"since": "2025-06-15T23:06:40+08:00"}).encode()
    )

    assert state.since == datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    assert state.since.tzinfo is UTC


@pytest.mark.parametrize("wrong", ["300", True, None, [300]])
def test_nothing_is_converted_silently(wrong: object) -> None:
    assert refusal_of(point(time_to_respond_s=wrong)) is Refusal.MALFORMED


def test_a_whole_number_may_stand_for_a_real_one() -> None:
    assert refusal_of(point(time_to_respond_s=300)) is None


def test_unknown_fields_are_ignored() -> None:
    assert refusal_of(point(colour="red", nested={"a": [1, 2]})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": "urgent"},
        {"consequence_if_no_action": ""},
        {"time_to_respond_s": 0},
        {"alarm_id": "OVERHEAT"},
        {"alarm_id": "a/../b"},
        {"equipment_path": "a b"},
        {"setpoint": {"logit_on": 0.0, "logit_off": 1.0}},
        {"setpoint": {"logit_on": 1.0, "logit_off": 0.0, "on_delay_s": -1}},
        {"setpoint": {"logit_on": 1.0, "logit_off": 0.0, "k": 3}},
        {"setpoint": {"logit_on": 1.0, "logit_off": 0.0, "k": 3, "n": 2}},
    ],
)
def test_a_point_against_the_contract_is_refused(changes: dict[str, Any]) -> None:
    assert refusal_of(point(**changes)) is Refusal.CONTRACT_VIOLATION


@pytest.mark.parametrize(
    "name", ["alarm_id", "operator_action", "consequence_if_no_action", "time_to_respond_s"]
)
def test_a_point_without_what_an_operator_needs_is_malformed(name: str) -> None:
    rest = {key: value for key, value in point().items() if key != name}

    assert refusal_of(rest) is Refusal.MALFORMED


NOT_JSON = {
    "nothing": b"",
    "text": b"hello",
    "list": b"[]",
    "null": b"null",
    "nan": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "not_utf8": b'{"a": "\xff"}',
    "byte_order_mark": b"\xef\xbb\xbf{}",
    "trailing": b"{} {}",
    "single_quotes": b"{'a': 1}",
    "lone_surrogate": b'{"a": "\\ud800"}',
    "msgpack": b"\x81\xa1a\x01",
    "nested_33_deep": b'{"a":' * 33 + b"1" + b"}" * 33,
    "lists_33_deep": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "nested_100000_deep": b"[" * 100_000,
    "number_of_5000_digits": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_no_json_object_is_malformed(name: str) -> None:
    with pytest.raises(ContractViolation) as refusal:
        parse_object(NOT_JSON[name])

    assert refusal.value.reason is Refusal.MALFORMED
    assert refusal_of(NOT_JSON[name]) is Refusal.MALFORMED


def test_an_object_of_32_levels_is_read() -> None:
    value = b'{"a":' * 32 + b"1" + b"}" * 32

    assert parse_object(value).keys() == {"a"}


def test_a_json_value_over_256_kib_is_too_large() -> None:
    value = b'{"a": "' + b"x" * 256 * 1024 + b'"}'

    assert refusal_of(value, headers=()) is Refusal.TOO_LARGE
    with pytest.raises(ContractViolation, match="too_large"):
        parse_object(value)


MSGPACK_TYPED = headers_for("alarm-point/1.0")


def test_the_first_reason_of_the_contract_is_given() -> None:
    violated, infinite = {"priority": "urgent"}, {"re_alarm_s": 1}
    assert refusal_of(point(), headers=()) is Refusal.UNKNOWN_SCHEMA
    assert refusal_of(b"x", headers=()) is Refusal.UNKNOWN_SCHEMA
    assert refusal_of(b"x", headers=MSGPACK_TYPED) is Refusal.MALFORMED
    assert refusal_of(point(title=5, **violated)) is Refusal.MALFORMED
    assert refusal_of(point(title=5), headers=MSGPACK_TYPED, key=b"a/b") is Refusal.MALFORMED
    assert refusal_of(point(**violated)) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point(), headers=MSGPACK_TYPED) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point(), key=b"a/b") is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point(), key=None) is Refusal.CONTRACT_VIOLATION
    overflow = json.dumps(point(**infinite)).replace('"re_alarm_s": 1', '"re_alarm_s": 1e999')
    assert refusal_of(overflow.encode()) is Refusal.NON_FINITE
    assert refusal_of(overflow.encode(), headers=MSGPACK_TYPED) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(point()) is None


def test_a_message_that_has_no_key_field_takes_any_key() -> None:
    assert refusal_of(STATE, FurnaceState, key=b"a/b") is None


def test_python_objects_are_as_strict_as_the_wire_about_thresholds() -> None:
    with pytest.raises(ValidationError, match="logit_off at most logit_on"):
        Setpoint(logit_on=0.0, logit_off=0.5)
    with pytest.raises(ValidationError, match="finite"):
        Setpoint(logit_on=float("inf"), logit_off=0.0)


def test_the_words_are_those_of_the_contract() -> None:
    assert " ".join(AlarmState) == "NORM UNACK ACKED RTNUN LATUN LATAK SHLVD DSUPR OOSRV"
    assert " ".join(Priority) == "critical high medium low journal"
    assert " ".join(Command) == (
        "ack reset shelve unshelve suppress unsuppress out_of_service in_service comment judge"
        " decommission"
    )
    assert " ".join(ResultCode) == (
        "ok malformed unknown_command unknown_alarm bad_arguments not_permitted duplicate stale "
        "wrong_state"
    )
    assert SEVERITY.keys() == set(Priority)


def test_the_record_has_the_fields_of_the_contract() -> None:
    required = {
        "spec", "alarm_id", "occurrence_id", "event_id", "epoch", "seq", "transition", "state",
        "active", "acked", "latched", "suppressed", "retain", "priority", "severity", "title",
        "message", "equipment_path", "class", "condition_time", "quality", "quality_reasons",
        "evidence", "model", "config_rev", "guidance", "times", "count_24h", "mode",
    }  # fmt: skip
    message = json.loads(alarm_record().to_json())

    assert required <= message.keys()
    assert message["transition"].keys() >= {"from", "to", "cause"}
    assert message["evidence"].keys() >= {
        "score", "threshold", "threshold_off", "window_start", "window_end", "members",
        "disagreement",
    }  # fmt: skip
    assert message["times"].keys() == {"event", "watermark", "ingest", "scored", "published"}
    assert {"consequence", "action", "time_to_respond_s"} <= message["guidance"].keys()


def test_schema_headers_are_those_of_the_contract() -> None:
    models = (
        AlarmPoint, AlarmRecord, AlarmCommand, CommandResult, AlarmReceipt, Heartbeat, FurnaceState,
    )  # fmt: skip

    assert [model.schema_id for model in models] == [
        "alarm-point/1.0", "alarm/1.0", "alarm-command/1.0", "alarm-result/1.0",
        "alarm-receipt/1.0", "heartbeat/1.0", "furnace-state/1.0",
    ]  # fmt: skip


def test_without_a_portrait_a_record_has_the_fields_that_it_had_before() -> None:
    """An alarm of the ensemble is byte by byte as before there were portraits."""
    point = alarm_point(
        change={"by": "li", "why": "x", "at": "2026-01-01T00:00:00Z", "old": SETPOINT},
        prepared={"setpoint": SETPOINT, "setpoint_digest": "1"},
        setpoint_digest="0",
    )
    for message in (alarm_record(), point):
        value = message.to_json()
        assert b"novelty" not in value
        assert type(message).from_json(value) == message
    of_portrait = Setpoint(**SETPOINT, novelty_on=3.0, novelty_off=2.5)
    assert b'"novelty_on":3.0,"novelty_off":2.5' in of_portrait.to_json()
    assert Setpoint.from_json(b'{"logit_on":1,"logit_off":0,"novelty_on":null}').novelty_on is None
