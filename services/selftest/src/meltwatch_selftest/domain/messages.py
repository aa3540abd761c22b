"""What the self-test writes: its furnace's data, an alarm point and an acknowledgement."""

from dataclasses import replace
from typing import Final

from meltwatch_schemas import current, embedding
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import COMMAND_SCHEMA, AlarmCommand, Command, Role
from meltwatch_schemas.alarm_point import POINT_SCHEMA, AlarmPoint
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.outside import FURNACE_STATE_SCHEMA, FurnaceState, FurnaceStateWord
from meltwatch_schemas.record import JSON, OutgoingRecord, headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms

from meltwatch_selftest.domain.furnace import Chunk

CONDITION: Final = "OVERHEAT"
_USER: Final = "selftest"


def chunk_record(chunk: Chunk, ingest_time_ns: int) -> OutgoingRecord:
    """Return the record of a chunk that is sent at an instant."""
    chunk = replace(chunk, identity=replace(chunk.identity, ingest_time_ns=ingest_time_ns))
    if isinstance(chunk, embedding.EmbeddingChunk):
        topic, schema = Topic.EMBEDDINGS, embedding.SCHEMA
        value = embedding.encode_embedding(chunk)
    else:
        topic, schema = Topic.CURRENTS, current.SCHEMA
        value = current.encode_current(chunk)
    return OutgoingRecord(
        topic,
        chunk.identity.furnace_id.encode(),
        value,
        tuple(headers_for(schema)),
        timestamp_ms(chunk.last_event_ns),
    )


def alarm_point(alarm_id: str) -> OutgoingRecord:
    """Return an alarm point whose text tells operators to ignore it; default thresholds."""
    point = AlarmPoint.model_validate(
        {
            "alarm_id": alarm_id,
            "equipment_path": split_alarm_id(alarm_id)[0],
            "title": "Self-test: no furnace is in danger",
            "condition": CONDITION,
            "priority": "low",
            "causes": ["a self-test shows a simulated furnace that overheats"],
            "consequence_if_no_action": "None.",
            "operator_action": "None: the self-test acknowledges it.",
            "time_to_respond_s": 600,
            "setpoint": {"logit_on": 3.0, "logit_off": 1.0, "on_delay_s": 4.0, "off_delay_s": 4.0},
            "setpoint_basis": "lower than the default: the same furnace each time, soon seen",
            "revision": "selftest",
        }
    )
    return _json_record(Topic.ALARM_POINTS, alarm_id, POINT_SCHEMA, point.to_json())


def no_alarm_point(alarm_id: str) -> OutgoingRecord:
    """Return the record that takes the alarm point back."""
    return _json_record(Topic.ALARM_POINTS, alarm_id, POINT_SCHEMA, None)


def furnace_off(furnace_id: str, now_ns: int) -> OutgoingRecord:
    """Return the record that says that the furnace is off, so that its silence raises no alarm."""
    state = FurnaceState(state=FurnaceStateWord.OFF, since=utc_from_ns(now_ns), by=_USER)
    return _json_record(Topic.FURNACE_STATES, furnace_id, FURNACE_STATE_SCHEMA, state.to_json())


def acknowledgement(command_id: str, record: AlarmRecord, now_ns: int) -> OutgoingRecord:
    """Return the command that acknowledges an alarm."""
    command = AlarmCommand(
        command_id=command_id,
        alarm_id=record.alarm_id,
        command=Command.ACK,
        expected_event_id=record.event_id,
        user=_USER,
        role=Role.OPERATOR,
        comment="Self-test",
        issued_at=utc_from_ns(now_ns),
    )
    return _json_record(Topic.ALARM_COMMANDS, record.alarm_id, COMMAND_SCHEMA, command.to_json())


def _json_record(topic: Topic, key: str, schema: str, value: bytes | None) -> OutgoingRecord:
    return OutgoingRecord(topic, key.encode(), value, tuple(headers_for(schema, JSON)))
