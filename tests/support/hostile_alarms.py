"""The hostile corpus of the alarm manager's topics; see ``hostile_wire`` for what it is.

``hostile_scores``, ``hostile_commands`` and ``hostile_points`` are what it reads,
``foreign_records`` what somebody else writes to the topics that it alone may write to. A record
with an ``answer`` must get a ``CommandResult`` of that code; one without an ``expected`` is taken.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.hostile_wire import (
    MS,
    NO,
    TOO_LONG,
    Base,
    Fields,
    Headers,
    HostileRecord,
    S,
    envelopes,
    other_types,
)

CONDITION = "OVERHEAT"
_DAY_NS = 24 * 3600 * S
_VERDICT = frozenset({"logit", "probability", "member_logits", "disagreement"})
"""Nil unless scored: to leave one out is to leave the verdict in part."""
_WRONG_LEVELS: dict[str, Fields] = {
    "novelty_of_overheat": {"novelty_on": 3.0, "novelty_off": 2.5},
    "novelty_without_off": {"novelty_on": 3.0},
    "novelty_off_above_on": {"novelty_on": 2.0, "novelty_off": 2.5},
    "novelty_beyond": {"novelty_on": 12.1, "novelty_off": 2.5},
}
NEW_HERE = frozenset(_WRONG_LEVELS)
"""Names of what the release before takes: it passes over fields that it does not know."""
_FAR_TIMES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z")
JSON_TYPE = ("content-type", b"application/json")


def hostile_alarm_inputs(furnace_id: str, time_ns: int) -> Iterator[HostileRecord]:
    """Give everything that the alarm manager may meet on what it reads, around an instant."""
    yield from hostile_scores(furnace_id, time_ns)
    yield from hostile_commands(furnace_id, time_ns)
    yield from hostile_points(furnace_id, time_ns)
    yield from hostile_states(furnace_id, time_ns)


def score_fields(furnace_id: str, window_end_ns: int, logit: float = -3.0) -> Fields:
    """Give the fields of a healthy ``WindowScore``."""
    return {
        "furnace_id": furnace_id,
        "window_end_ns": window_end_ns,
        "window_id": PUBLISHED_SPEC.window_id(furnace_id, window_end_ns),
        "spec_id": PUBLISHED_SPEC.spec_id,
        "status": "scored",
        "modalities": ["video", "current"],
        "video_coverage": 1.0,
        "current_coverage": 1.0,
        "logit": logit,
        "probability": 0.05,
        "member_logits": [logit, logit, logit],
        "disagreement": 0.0,
        "anomaly_map": None,
        "features": {},
        "model": {"name": "fmformer", "version": "1", "digest": "0" * 64},
        "encoder_id": "dct-192-a375f01fafb8",
        "sources": {"video": "camera-1", "current": "meter-1"},
        "reasons": [],
        "times": {
            "last_event_ns": window_end_ns,
            "last_ingest_ns": window_end_ns + 20 * MS,
            "joined_ns": window_end_ns + 30 * MS,
            "scored_ns": window_end_ns + 40 * MS,
            "published_ns": window_end_ns + 50 * MS,
        },
        "inputs": {},
    }


def hostile_scores(furnace_id: str, window_end_ns: int) -> Iterator[HostileRecord]:
    """Give the records of ``scores``."""
    base = Base(Topic.SCORES, b"score/1.0", score_fields(furnace_id, window_end_ns), window_end_ns)
    yield from envelopes(base)
    for name in base.fields.keys() - {"encoder_id", "anomaly_map"}:
        if name not in _VERDICT:
            yield base.spoilt(f"{name}_missing", "malformed", **{name: NO})
        for label, wrong in _wrong_types(name, base.fields[name]):
            yield base.spoilt(f"{name}_is_{label}", "malformed", **{name: wrong})
    for name, time_ns in {"negative": -1, "least": -(2**63), "beyond": 2**63}.items():
        yield base.spoilt(f"window_end_{name}", "contract_violation", window_end_ns=time_ns)
    for name, time_ns in {"of_2262": 2**63 - 1, "of_tomorrow": window_end_ns + 2 * _DAY_NS}.items():
        yield base.spoilt(f"window_end_{name}", "future_event_time", window_end_ns=time_ns)
    for name, value in {"nan": float("nan"), "infinite": float("inf")}.items():
        for field in ("logit", "probability", "disagreement"):
            yield base.spoilt(f"{field}_{name}", "non_finite", **{field: value})
        yield base.spoilt(f"a_member_{name}", "non_finite", member_logits=[1.0, value])
    yield base.spoilt("status_unknown", "contract_violation", status="perhaps")
    yield base.spoilt("modality_unknown", "contract_violation", modalities=["video", "smell"])
    yield base.spoilt("verdict_in_part", "contract_violation", probability=None)
    yield base.spoilt("map_of_one_byte", "contract_violation", anomaly_map=b"\0")
    yield base.spoilt("unknown_fields", None, colour="red", future={"nested": [1, {2: 3}]})


def _wrong_types(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, float):
        yield from (("text", "7"), ("boolean", True), ("bytes", b"7"), ("list", [value]))
        if name.endswith("coverage"):
            yield "nil", None
    elif isinstance(value, dict):
        yield from (("text", "7"), ("integer", 7), ("list", []), ("integer_keys", {1: 2}))
    elif isinstance(value, list):
        yield from (("text", "7"), ("integer", 7), ("of_maps", [{}]), ("map", {"a": 1}))
    else:
        yield from other_types(value)


@dataclass(frozen=True)
class _JsonBase:
    """A healthy JSON record, to be spoilt."""

    topic: Topic
    schema: bytes
    key: str
    fields: Fields
    time_ns: int

    def spoilt(
        self, name: str, expected: str | None, answer: str | None = None, **changes: Any
    ) -> HostileRecord:
        """Give a record with other fields, or another ``value``, ``key`` or ``headers``."""
        value = changes.pop("value", NO)
        key = changes.pop("key", self.key.encode())
        headers = changes.pop("headers", (("schema", self.schema), JSON_TYPE))
        fields = {k: v for k, v in (self.fields | changes).items() if v is not NO}
        text = json.dumps(fields, ensure_ascii=False).encode() if value is NO else value
        return HostileRecord(name, self.topic, key, text, headers, self.time_ns, expected, answer)


def _json_envelopes(base: _JsonBase) -> Iterator[HostileRecord]:
    """Give what is no JSON message at all, and keys that name nothing."""
    good = json.dumps(base.fields).encode()
    yield base.spoilt("nothing_at_all", "unknown_schema", key=None, value=None, headers=())
    yield base.spoilt("neither_key_nor_value", "malformed", key=None, value=None)
    yield base.spoilt("too_large", "too_large", value=bytes(TOO_LONG))
    yield base.spoilt("too_large_object", "too_large", note="n" * TOO_LONG)
    yield base.spoilt("too_large_and_no_headers", "too_large", value=bytes(TOO_LONG), headers=())
    for name, headers in _foreign_schemas(base.schema).items():
        yield base.spoilt(name, "unknown_schema", headers=headers)
    values: dict[str, bytes] = {
        "empty": b"",
        "cut_short": good[:-1],
        "trailing_text": good + b"x",
        "two_objects": good + good,
        "list": b"[" + good + b"]",
        "number": b"7",
        "null": b"null",
        "nan": good[:-1] + b', "note": NaN}',
        "infinity": good[:-1] + b', "note": -Infinity}',
        "nested_33_deep": b'{"note":' * 33 + b"1" + b"}" * 33,
        "nested_100000_deep": b'{"note":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "never_closed": b"[" * 200_000,
        "not_utf8": good[:-1] + b', "note": "\xff"}',
        "lone_surrogate": good[:-1] + b', "note": "\\ud800"}',
        "byte_order_mark": b"\xef\xbb\xbf" + good,
        "utf16": good.decode().encode("utf-16"),
        "control_character": good[:-1] + b', "note": "\x00"}',
    }
    for name, value in values.items():
        yield base.spoilt(name, "malformed", value=value)
    keys = {
        "missing": None, "empty": b"", "not_utf8": b"\xff", "of_one_level": b"a", "dots": b"a/../b",
        "blank": b"a b/c", "line_feed": base.key.encode() + b"\n", "of_201": b"a/" + b"b" * 199,
    }  # fmt: skip
    for name, key in keys.items():
        yield base.spoilt(f"key_{name}", "contract_violation", key=key)


def _foreign_schemas(schema: bytes) -> dict[str, Headers]:
    kind = schema.partition(b"/")[0]
    return {
        "no_headers": (),
        "schema_missing": (JSON_TYPE,),
        "schema_of_another_kind": (("schema", b"score/1.0"), JSON_TYPE),
        "schema_of_another_major": (("schema", kind + b"/2.0"), JSON_TYPE),
        "schema_not_utf8": (("schema", b"\xff\xfe"), JSON_TYPE),
        "schema_null": (("schema", None), JSON_TYPE),
        "schema_empty": (("schema", b""), JSON_TYPE),
        "last_schema_wrong": (("schema", schema), ("schema", b"x/1.0"), JSON_TYPE),
    }


def command_fields(alarm_id: str, command: str = "comment", **changes: Any) -> Fields:
    """Give the fields of a healthy ``AlarmCommand``."""
    return {
        "command_id": "0d5e3b1c-4a63-4a0b-9d7a-7e6b0a4c1f22",
        "alarm_id": alarm_id,
        "command": command,
        "expected_event_id": None,
        "user": "li.wei",
        "role": "operator",
        "comment": "seen",
        "arguments": {},
        "issued_at": "2026-03-01T03:00:00.000000Z",
    } | changes


def hostile_commands(furnace_id: str, time_ns: int) -> Iterator[HostileRecord]:
    """Give the records of ``alarm-commands``; the alarm must be one that the manager knows."""
    alarm_id = f"{furnace_id}/{CONDITION}"
    base = _JsonBase(
        Topic.ALARM_COMMANDS, b"alarm-command/1.0", alarm_id, command_fields(alarm_id), time_ns
    )
    yield from _json_envelopes(base)
    for name in ("command_id", "alarm_id", "command", "user", "role", "issued_at"):
        yield base.spoilt(f"{name}_missing", None, "malformed", **{name: NO})
        for label, wrong in {"number": 7, "null": None, "list": ["ack"], "object": {}}.items():
            yield base.spoilt(f"{name}_is_{label}", None, "malformed", **{name: wrong})
    yield base.spoilt("empty_object", None, "malformed", value=b"{}")
    yield base.spoilt("alarm_id_of_another", None, "malformed", alarm_id="a/b/C")
    yield base.spoilt("command_id_no_uuid", None, "malformed", command_id="\x1b[2J")
    yield base.spoilt("role_unknown", None, "malformed", role="king")
    for time in _FAR_TIMES:
        yield base.spoilt(f"issued_at_{time}", None, "malformed", issued_at=time)
    yield base.spoilt("command_unknown", None, "unknown_command", command="explode\x1b[2J")
    yield base.spoilt(
        "alarm_unknown", None, "unknown_alarm", alarm_id="no/such/ALARM", key=b"no/such/ALARM"
    )
    yield from _bad_arguments(base)


def _bad_arguments(base: _JsonBase) -> Iterator[HostileRecord]:
    texts = {
        "user_empty": {"user": ""},
        "user_of_65": {"user": "u" * 65},
        "user_with_escape": {"user": "\x1b[31mEVIL\x1b[0m"},
        "user_turned_round": {"user": "li\u202ewei"},
        "comment_of_1001": {"comment": "c" * 1001},
        "comment_of_261000": {"comment": "c" * 261_000},
        "comment_with_escape": {"comment": "\x1b]0;owned\x07\x1b[2Jhello"},
        "comment_with_line_feed": {"comment": "one\ntwo"},
        "comment_with_null": {"comment": "\0"},
        "reason_of_2001": {"arguments": {"reason": "r" * 2001}},
        "reason_with_escape": {"arguments": {"reason": "\x1b"}},
        "ack_without_event": {"command": "ack"},
        "shelve_for_a_list": {"command": "shelve", "arguments": {"duration_s": 9, "reason": [1]}},
        "one_shot_of_text": {"command": "shelve", "arguments": {"one_shot": "yes"}},
        "no_work_order": {"command": "out_of_service", "role": "engineer"},
        "work_order_with_escape": {
            "command": "out_of_service",
            "role": "engineer",
            "arguments": {"work_order": "\x1b[2J"},
        },
    }
    for name, changes in texts.items():
        yield base.spoilt(name, None, "bad_arguments", **changes)
    durations = {
        "negative": -1, "of_32_days": 32 * 86400, "1e308": 1e308, "huge": 10**400, "text": "1",
        "boolean": True, "null": None, "list": [1], "least": -(2**63),
    }  # fmt: skip
    for name, duration_s in durations.items():
        arguments = {"arguments": {"duration_s": duration_s}}
        yield base.spoilt(f"duration_{name}", None, "bad_arguments", command="shelve", **arguments)
    # The first code of the contract's order, where several would fit.
    yield base.spoilt("unknown_and_long", None, "unknown_command", command="x", user="u" * 65)
    yield base.spoilt(
        "long_for_no_alarm", None, "unknown_alarm", user="", alarm_id="a/b/C", key=b"a/b/C"
    )
    yield base.spoilt("long_from_viewer", None, "bad_arguments", role="viewer", user="")


def hostile_points(furnace_id: str, time_ns: int) -> Iterator[HostileRecord]:
    """Give the records of ``alarm-points``; none of them is taken."""
    alarm_id = f"{furnace_id}/{CONDITION}"
    fields = point_fields(furnace_id)
    base = _JsonBase(Topic.ALARM_POINTS, b"alarm-point/1.0", alarm_id, fields, time_ns)
    # A value of null takes an override back, so a key alone is no fault here.
    yield from (
        replace(hostile, expected=_of_tombstone(hostile)) for hostile in _json_envelopes(base)
    )
    for name in ("alarm_id", "equipment_path", "title", "condition", "priority", "setpoint"):
        yield base.spoilt(f"{name}_missing", "malformed", **{name: NO})
        if name != "priority":
            yield base.spoilt(f"{name}_is_number", "malformed", **{name: 7})
    setpoint = fields["setpoint"]
    for name in ("on_delay_s", "off_delay_s"):
        for delay_s in (1e308, 86_401.0, -1.0):
            changes = {"setpoint": setpoint | {name: delay_s}}
            yield base.spoilt(f"{name}_{delay_s:g}", "contract_violation", **changes)
    for name, value in {"logit_on": -9.0, "k": 4, "n": 10**9}.items():
        changes = {"setpoint": setpoint | {name: value}}
        yield base.spoilt(f"{name}_{value:g}", "contract_violation", **changes)
    for name, levels in _WRONG_LEVELS.items():
        yield base.spoilt(name, "contract_violation", setpoint=setpoint | levels)
    votes = {"setpoint": setpoint | {"k": 10**9, "n": 10**9}}
    yield base.spoilt("votes_of_a_billion", "contract_violation", **votes)
    for name in ("title", "consequence_if_no_action", "operator_action"):
        yield base.spoilt(f"{name}_of_240000", "contract_violation", **{name: "t" * 240_000})
        yield base.spoilt(f"{name}_with_escape", "contract_violation", **{name: "\x1b[2J"})
    yield base.spoilt("of_another_furnace", "contract_violation", equipment_path="a/b")
    yield base.spoilt("no_time_to_respond", "contract_violation", time_to_respond_s=0)
    yield base.spoilt("for_ever_to_respond", "contract_violation", time_to_respond_s=1e308)
    settings: Fields = {
        "unknown_furnace_state": {"suppress_when": ["off", "asleep"]},
        "masked_by_itself": {"masked_by": alarm_id},
        "masked_by_no_alarm": {"masked_by": "../x"},
        "masked_by_escape": {"masked_by": "a/\x1b"},
        "re_alarm_at_once": {"re_alarm_s": 0},
        "re_alarm_count_alone": {"re_alarm_count_max": 3},
        "shelved_for_ever": {"max_shelve_s": 1e308},
    }
    for name, changes in settings.items():
        yield base.spoilt(name, "contract_violation", **changes)


def hostile_states(furnace_id: str, time_ns: int) -> Iterator[HostileRecord]:
    """Give the records of ``furnace-states``; none of them is taken."""
    fields = {"state": "melting", "since": "2026-03-01T03:00:00.000000Z", "by": "mes"}
    base = _JsonBase(Topic.FURNACE_STATES, b"furnace-state/1.0", furnace_id, fields, time_ns)
    for hostile in _json_envelopes(base):
        if hostile.name != "key_of_one_level":  # a furnace's id may have one
            yield replace(hostile, expected=_of_tombstone(hostile))
    for name in fields:
        yield base.spoilt(f"{name}_missing", "malformed", **{name: NO})
    for time in _FAR_TIMES[:2]:
        yield base.spoilt(f"since_{time}", "contract_violation", since=time)
    yield base.spoilt("by_with_escape", "contract_violation", by="\x1b[2J")
    yield base.spoilt("by_of_240000", "contract_violation", by="b" * 240_000)


def _of_tombstone(hostile: HostileRecord) -> str | None:
    """Give the reason for a record without key and value: its key names nothing."""
    is_bare = hostile.key is None and hostile.value is None
    return "contract_violation" if is_bare else hostile.expected


def point_fields(furnace_id: str) -> Fields:
    """Give the fields of a healthy ``AlarmPoint``."""
    return {
        "alarm_id": f"{furnace_id}/{CONDITION}",
        "equipment_path": furnace_id,
        "title": "Furnace overheating",
        "condition": CONDITION,
        "priority": "high",
        "consequence_if_no_action": "The shell burns through.",
        "operator_action": "Reduce power.",
        "time_to_respond_s": 600,
        "setpoint": {"logit_on": 2.0, "logit_off": 0.0, "on_delay_s": 4.32, "off_delay_s": 8.64},
    }


def foreign_records(furnace_id: str, true_record: bytes, time_ns: int) -> Iterator[HostileRecord]:
    """Give what somebody else may write to ``alarms``, ``alarm-results`` and ``heartbeats``.

    Parameters
    ----------
    furnace_id
        Whose alarm is forged.
    true_record
        The value of its last record on ``alarms``.
    time_ns
        Around now.
    """
    alarm_id = f"{furnace_id}/{CONDITION}"
    fields = json.loads(true_record)
    base = _JsonBase(Topic.ALARMS, b"alarm/1.0", alarm_id, fields, time_ns)
    gone = {"state": "NORM", "active": False, "acked": True, "retain": False}
    number = {"epoch": fields["epoch"], "seq": fields["seq"]}
    yield base.spoilt("forged_far_above", None, epoch=999_999_999, **gone)
    yield base.spoilt("forged_same_epoch", None, **(gone | number | {"seq": number["seq"] + 10**6}))
    yield base.spoilt("forged_below", None, **(gone | {"epoch": 0, "seq": 0}))
    yield base.spoilt("forged_again", None, **(gone | number))
    yield base.spoilt("forged_at_the_top", None, epoch=2**53 - 1, seq=2**53 - 1, **gone)
    yield base.spoilt("forged_beyond_int64", None, epoch=2**63, **gone)
    yield base.spoilt("tombstone", None, value=None)
    yield base.spoilt("garbage", None, value=b"\xff\x00")
    yield base.spoilt("strange_key", None, key=b"\xff", value=b"{}")
    never = f"{furnace_id}/NEVER"
    yield base.spoilt("of_no_alarm", None, key=never.encode(), alarm_id=never)
    yield replace(base, topic=Topic.HEARTBEATS).spoilt("beat_of_garbage", None)
    beat = {"service": "alarm_manager", "epoch": 2**40, "seq": 0, "active_alarms": 0}
    at = {"at": "2026-03-01T03:00:00.000000Z"}
    heartbeat = _JsonBase(Topic.HEARTBEATS, b"heartbeat/1.0", "alarm_manager", beat | at, time_ns)
    yield heartbeat.spoilt("beat_far_above", None)
    answer = {"command_id": None, "alarm_id": alarm_id, "result": "done", "code": "ok"}
    result = _JsonBase(
        Topic.ALARM_RESULTS, b"alarm-result/1.0", alarm_id, answer | {"detail": ""} | at, time_ns
    )
    yield result.spoilt("forged_answer", None)
    yield result.spoilt("nothing_at_all", None, key=None, value=None, headers=())
