"""Commands are answered in the order of the contract."""

from dataclasses import replace

import pytest
from meltwatch_core.alarms.manager.commands import JudgedCommands
from meltwatch_schemas.alarm_command import CommandResult, ResultCode
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    point,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog


class Desk:
    """A manager with one raised alarm, and commands to it."""

    def __init__(self, log: TopicLog | None = None) -> None:
        self.log = log or TopicLog()
        if log is None:
            self.log.judge([score(number, 3.0) for number in range(4)])
        self.pipeline = self.log.take_over()
        self.offset = 0

    @property
    def event_id(self) -> str:
        return self.log.alarms()[-1].event_id

    @property
    def state(self) -> str:
        return self.log.alarms()[-1].state.value

    def send(self, record):
        """Hand a record to the manager; return the topics that it wrote to."""
        written = self.pipeline.handle_record(replace(record, offset=self.offset), NOW_NS)
        self.offset += 1
        self.log.write(written, self.pipeline)
        return [out.topic for out in written]

    def order(self, fields) -> CommandResult:
        """Send a command and return its answer."""
        assert self.send(command_record(fields))[-1] is Topic.ALARM_RESULTS
        return CommandResult.from_json(self.log.of(Topic.ALARM_RESULTS)[-1].value or b"")

    def lower(self):
        for offset in range(4, 11):
            record = score_record(score(offset, -3.0), offset)
            self.log.write(self.pipeline.handle_record(record, NOW_NS), self.pipeline)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_acknowledgement_is_done_and_says_which_record_it_caused(desk):
    answer = desk.order(command_fields("ack", desk.event_id))
    assert (answer.result, answer.code) == ("done", "ok")
    record = desk.log.alarms()[-1]
    assert (record.state, record.event_id) == ("ACKED", answer.event_id)
    assert (record.ack_by, record.transition.by) == ("li.wei", "li.wei")
    assert record.transition.comment == "seen"
    assert record.evidence == desk.log.alarms()[0].evidence


def test_the_alarm_record_is_written_before_the_answer(desk):
    assert desk.send(command_record(command_fields("ack", desk.event_id))) == [
        Topic.ALARMS,
        Topic.ALARM_RESULTS,
    ]


def test_clear_after_acknowledgement_is_normal(desk):
    desk.order(command_fields("ack", desk.event_id))
    desk.lower()
    assert desk.state == "NORM"


def test_acknowledgement_after_clear_is_normal(desk):
    desk.lower()
    assert desk.state == "RTNUN"
    assert desk.order(command_fields("ack", desk.event_id)).code == "ok"
    assert desk.state == "NORM"


def test_a_latched_alarm_is_reset_only_once_its_condition_is_gone():
    log = TopicLog(points={FURNACE: (point(reset_required=True),)})
    log.judge([score(number, 3.0) for number in range(4)])
    desk = Desk(log)
    assert desk.order(command_fields("reset", desk.event_id)).code == "wrong_state"
    desk.lower()
    assert desk.state == "LATUN"
    assert desk.order(command_fields("reset", desk.event_id)).code == "ok"
    assert desk.state == "RTNUN"


def test_a_comment_changes_no_state(desk):
    assert desk.order(command_fields("comment", comment="crew is on its way")).code == "ok"
    record = desk.log.alarms()[-1]
    assert (record.state, record.transition.cause) == ("UNACK", "COMMENT")
    assert record.transition.comment == "crew is on its way"


STALE = "0" * 32
WORK = {"work_order": "WO-7"}
SPOILS = [
    # Each spoils the command in one more way, from the last code of the order to the first.
    ("stale", {"expected_event_id": STALE}),
    ("duplicate", None),
    ("not_permitted", {"role": "viewer"}),
    ("bad_arguments", {"expected_event_id": None}),
    ("unknown_alarm", {"alarm_id": "nowhere/F9/OVERHEAT"}),
    ("unknown_command", {"command": "frobnicate"}),
    ("malformed", {"user": 7}),
]


@pytest.mark.parametrize("count", range(1, len(SPOILS) + 1))
def test_the_first_code_that_applies_is_given(desk, count):
    fields = command_fields("ack", desk.event_id)
    for code, change in SPOILS[:count]:
        if change is None:
            desk.order(fields | {"expected_event_id": STALE})
        else:
            fields |= change
        expected = code
    desk.send(command_record(fields, key=fields["alarm_id"]))
    answer = CommandResult.from_json(desk.log.of(Topic.ALARM_RESULTS)[-1].value or b"")
    assert (answer.result, answer.code, answer.event_id) == ("refused", expected, None)
    assert answer.detail
    assert "\n" not in answer.detail
    assert desk.state == "UNACK"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"command_id": "not-a-uuid"}, "malformed"),
        ({"command_id": None}, "malformed"),
        ({"alarm_id": f"{FURNACE}/OTHER"}, "malformed"),
        ({"issued_at": 1_700_000_000}, "malformed"),
        ({"issued_at": "2026-03-01T03:00:00"}, "malformed"),
        ({"role": "king"}, "malformed"),
        ({"arguments": []}, "malformed"),
        ({"command": 5}, "malformed"),
        ({"command": "shelve"}, "bad_arguments"),
        ({"command": "shelve", "arguments": {"duration_s": True}}, "bad_arguments"),
        ({"command": "shelve", "arguments": {"duration_s": 1e9}}, "bad_arguments"),
        ({"command": "shelve", "arguments": {"duration_s": 60, "one_shot": 1}}, "bad_arguments"),
        ({"command": "judge", "arguments": {"verdict": ["true_alarm"]}}, "bad_arguments"),
        ({"command": "comment", "comment": None}, "bad_arguments"),
        ({"command": "shelve", "arguments": {"duration_s": 60, "reason": 7}}, "bad_arguments"),
        ({"command": "shelve", "arguments": {"duration_s": 28_801}}, "bad_arguments"),
        ({"command": "out_of_service"}, "bad_arguments"),
        ({"command": "out_of_service", "arguments": {"work_order": 7}}, "bad_arguments"),
        ({"command": "out_of_service", "comment": None, "arguments": WORK}, "bad_arguments"),
        ({"command": "out_of_service", "arguments": WORK}, "not_permitted"),
        ({"command": "in_service"}, "not_permitted"),
        ({"command": "suppress"}, "not_permitted"),
        ({"command": "unsuppress"}, "not_permitted"),
    ],
)
def test_what_is_wrong_with_a_command_has_a_code(desk, change, code):
    answer = desk.order(command_fields("ack", desk.event_id) | change)
    assert (answer.result, answer.code) == ("refused", code)


def test_the_same_command_twice_is_obeyed_once(desk):
    fields = command_fields("ack", desk.event_id)
    assert desk.order(fields).code == "ok"
    assert desk.order(fields).code == "duplicate"
    assert len(desk.log.alarms()) == 2


def test_a_successor_knows_which_commands_were_answered(desk):
    fields = command_fields("comment")
    desk.order(fields)
    assert Desk(desk.log).order(fields).code == "duplicate"


def test_a_command_that_was_not_permitted_may_come_again_by_somebody_who_may(desk):
    fields = command_fields("ack", desk.event_id)
    assert desk.order(fields | {"role": "viewer"}).code == "not_permitted"
    assert desk.order(fields).code == "ok"


def test_acknowledging_twice_is_done_once(desk):
    first = desk.order(command_fields("ack", desk.event_id))
    second = desk.order(command_fields("ack", desk.event_id))

    assert (second.result, second.code, second.event_id) == ("done", "ok", first.event_id)
    assert second.detail == "acknowledged already, ACKED"
    assert len(desk.log.alarms()) == 2


def test_what_was_acknowledged_and_has_gone_needs_no_other_acknowledgement(desk):
    desk.order(command_fields("ack", desk.event_id))
    desk.lower()
    answer = desk.order(command_fields("ack", desk.event_id))
    assert (answer.code, answer.detail) == ("ok", "acknowledged already, NORM")


def test_what_nobody_had_to_acknowledge_is_refused_by_the_state():
    log = TopicLog(points={FURNACE: (point(ack_required=False),)})
    log.judge([score(number, 3.0) for number in range(4)])
    desk = Desk(log)
    desk.lower()
    assert desk.state == "NORM"
    assert desk.order(command_fields("ack", desk.event_id)).code == "wrong_state"


def test_an_alarm_that_was_never_raised_is_known_if_its_furnace_is_registered():
    desk = Desk(TopicLog(points={FURNACE: ()}))
    assert desk.order(command_fields("ack", STALE)).code == "stale"
    assert desk.order(command_fields("comment")).code == "wrong_state"
    assert Desk(TopicLog()).order(command_fields("comment")).code == "unknown_alarm"


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"{", "malformed"),
        (b'{"user": NaN}', "malformed"),
        (b'{"user": "\xff"}', "malformed"),
        (b'{"user": "\\ud800"}', "malformed"),
        (nested(33).encode(), "malformed"),
        (b" " * (256 * 1024 + 1), "too_large"),
    ],
)
def test_what_is_no_json_object_goes_to_the_dead_letters(desk, value, reason):
    record = replace(command_record({}), value=value)
    assert desk.send(record) == [Topic.DEAD_LETTERS]
    letter = desk.log.of(Topic.DEAD_LETTERS)[-1]
    assert (letter.key, letter.value) == (record.key, value)
    assert dict(letter.headers)["dlq.error"] == reason.encode()
    assert dict(letter.headers)["dlq.service"] == b"alarm_manager"


@pytest.mark.parametrize("key", [None, b"", b"no-slash", b"a/../b", b"\xff/x", b"a/b c"])
def test_what_has_no_usable_key_goes_to_the_dead_letters(desk, key):
    record = replace(command_record(command_fields("ack")), key=key)
    assert desk.send(record) == [Topic.DEAD_LETTERS]
    letter = desk.log.of(Topic.DEAD_LETTERS)[-1]
    assert dict(letter.headers)["dlq.error"] == b"contract_violation"


def test_an_unknown_schema_goes_to_the_dead_letters_whatever_it_holds(desk):
    fine = command_record(command_fields("ack", desk.event_id))
    for headers in [(), (("schema", b"alarm-command/2.0"),), (("schema", b"alarm/1.0"),)]:
        assert desk.send(replace(fine, headers=headers)) == [Topic.DEAD_LETTERS]
        letter = desk.log.of(Topic.DEAD_LETTERS)[-1]
        assert dict(letter.headers)["dlq.error"] == b"unknown_schema"


@pytest.mark.parametrize(
    "value",
    [b"{}", b'{"command_id": 3}', nested(32).encode(), b'{"x": "y"}'],
)
def test_every_json_object_under_a_usable_key_is_answered(desk, value):
    assert desk.send(replace(command_record({}), value=value)) == [Topic.ALARM_RESULTS]
    result = desk.log.of(Topic.ALARM_RESULTS)[-1]
    answer = CommandResult.from_json(result.value or b"")
    assert (result.key, answer.alarm_id) == (ALARM_ID.encode(), ALARM_ID)
    assert (answer.code, answer.command_id) == ("malformed", None)


def test_the_memory_of_commands_is_bounded():
    judged = JudgedCommands(limit=3)
    for name in ("a", "b", "c", "d"):
        judged.note(name, ResultCode.OK)
    assert "a" not in judged
    assert "B" in judged
    assert "d" in judged
