"""Whatever stands on a topic that the manager reads, it is kept with a reason and nothing ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_alarm_manager.pipeline.projection import Projection
from meltwatch_alarm_manager.ports import FurnaceChange
from meltwatch_core.alarms.manager import scribe
from meltwatch_schemas.alarm_command import CommandResult, ResultCode
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.examples import examples
from tests.support.hostile_alarms import hostile_alarm_inputs
from tests.support.hostile_wire import HostileRecord
from tests.unit.core.alarms.samples import (
    FURNACE,
    PREFIX,
    command_fields,
    command_record,
    point,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

OTHER = "a/b/F1"
CORPUS = list(hostile_alarm_inputs(OTHER, PUBLISHED_SPEC.first_end_after(OTHER, NOW_NS)))
LATE = 1_000_000


def new_log() -> TopicLog:
    return TopicLog(points={OTHER: (point(OTHER),), FURNACE: (point(),)})


def header(letter: OutgoingRecord, name: str) -> str:
    return dict(letter.headers)[name].decode()


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda h: f"{h.topic}-{h.name}")
def test_each_hostile_record_becomes_what_the_contract_says(hostile: HostileRecord) -> None:
    written = new_log().take_over().handle_record(hostile.raw(PREFIX, offset=7), NOW_NS)
    letters = [out for out in written if out.topic is Topic.DEAD_LETTERS]
    answers = [
        CommandResult.from_json(out.value or b"")
        for out in written
        if out.topic is Topic.ALARM_RESULTS
    ]
    assert [header(letter, "dlq.error") for letter in letters] == (
        [hostile.expected] if hostile.expected else []
    )
    assert [answer.code for answer in answers] == ([hostile.answer] if hostile.answer else [])
    for letter in letters:
        assert (letter.key, letter.value) != (None, None)
        assert header(letter, "dlq.detail").isprintable()
        assert header(letter, "dlq.offset") == "7"
    assert all(answer.detail.isprintable() for answer in answers)


def test_the_names_of_the_corpus_are_unique() -> None:
    names = [(hostile.topic, hostile.name) for hostile in CORPUS]
    assert len(names) == len(set(names))


def test_after_all_of_them_a_good_score_raises_and_a_good_command_is_answered() -> None:
    log = new_log()
    pipeline = log.take_over()
    offsets: dict[Topic, int] = {}
    for hostile in CORPUS:
        offset = offsets[hostile.topic] = offsets.get(hostile.topic, -1) + 1
        log.write(pipeline.handle_record(hostile.raw(PREFIX, offset=offset), NOW_NS), pipeline)
    for number in range(4):
        record = score_record(score(number, 6.0), LATE + number)
        log.write(pipeline.handle_record(record, NOW_NS), pipeline)
    (raised,) = log.alarms()
    good = command_record(command_fields("ack", raised.event_id), LATE)
    log.write(pipeline.handle_record(good, NOW_NS), pipeline)
    assert log.alarms()[-1].state == "ACKED"


def test_the_projection_goes_on_over_hostile_records() -> None:
    """What the manager refuses is not shown either: a window of the future least of all."""
    good = score(1, 1.0, OTHER)

    def shown_with(hostile: HostileRecord) -> list[int]:
        changes = Projection(PREFIX, lambda _: True).changes(
            [hostile.raw(PREFIX), score_record(good, 1)], NOW_NS
        )
        return [each.score.window_end_ns for each in changes if isinstance(each, FurnaceChange)]

    shown = {(hostile.topic, hostile.name): shown_with(hostile) for hostile in CORPUS}
    refused = {(hostile.topic, hostile.name) for hostile in CORPUS if hostile.expected}
    assert [what for what, ends_ns in shown.items() if not ends_ns] == []
    assert {what: shown[what] for what in refused if shown[what] != [good.window_end_ns]} == {}


def test_names_without_end_fill_no_view_and_hide_no_registered_furnace() -> None:
    projection = Projection(PREFIX, {"a/b/F9"}.__contains__, max_furnaces=3)
    shown = set()
    for number in range(10):
        record = score_record(score(number, 1.0, f"a/b/F{number}"), number)
        for change in projection.changes([record], NOW_NS):
            assert isinstance(change, FurnaceChange)
            shown.add(change.score.furnace_id)
    assert shown == {"a/b/F0", "a/b/F1", "a/b/F2", "a/b/F9"}
    again = score_record(score(99, 1.0, "a/b/F1"), 99)
    assert len(projection.changes([again], NOW_NS)) == 1


@examples(60)
@given(
    st.sampled_from([Topic.SCORES, Topic.ALARM_COMMANDS, Topic.ALARM_POINTS]),
    st.none() | st.binary(max_size=40) | st.sampled_from([b"a/b/F1/OVERHEAT", b"a/b/F1"]),
    st.none()
    | st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    ).map(lambda value: json.dumps(value).encode()),
    st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=3),
)
def test_any_record_at_all_has_an_outcome_that_can_be_written(topic, key, value, headers) -> None:
    schemas = {
        Topic.SCORES: b"score/1.0",
        Topic.ALARM_COMMANDS: b"alarm-command/1.0",
        Topic.ALARM_POINTS: b"alarm-point/1.0",
    }
    for tail in ((), (("schema", schemas[topic]), ("content-type", b"application/json"))):
        record = RawRecord(topic.under(PREFIX), 0, 7, 0, key, value, (*headers, *tail))
        written = new_log().take_over().handle_record(record, NOW_NS)
        for out in written:
            assert (out.key, out.value) != (None, None)
            assert out.topic is Topic.DEAD_LETTERS or len(out.value or b"") <= MAX_RECORD_BYTES


FIELDS = [("user", "u"), ("comment", "c"), ("expected_event_id", "e")]


@pytest.mark.parametrize(("field", "letter"), FIELDS)
def test_a_text_of_any_length_is_answered(field: str, letter: str) -> None:
    for length in (0, 1, 64, 65, 1000, 1001, 2000, 2001, 100_000, 261_000):
        log = new_log()
        pipeline = log.take_over()
        for number in range(4):
            record = score_record(score(number, 6.0), number)
            log.write(pipeline.handle_record(record, NOW_NS), pipeline)
        fields = command_fields("ack", log.alarms()[-1].event_id) | {field: letter * length}
        (*_, answer) = pipeline.handle_record(command_record(fields), NOW_NS)
        code = CommandResult.from_json(answer.value or b"").code
        bound = {"user": 64, "comment": 1000, "expected_event_id": 2000}[field]
        is_bad = length > bound or (field == "user" and not length)
        assert (code is ResultCode.BAD_ARGUMENTS) == is_bad, (length, code)


def test_an_acknowledged_alarm_is_acknowledged_after_a_take_over_whatever_was_commented() -> None:
    log = new_log()
    pipeline = log.take_over()
    for number in range(4):
        log.write(
            pipeline.handle_record(score_record(score(number, 6.0), number), NOW_NS), pipeline
        )
    comments = ["c" * 261_000, "\u4e2d" * 1000]
    for offset, comment in enumerate(comments):
        event_id = log.alarms()[-1].event_id
        fields = command_fields("ack", event_id, comment=comment)
        log.write(pipeline.handle_record(command_record(fields, offset), NOW_NS), pipeline)
    states = [record.state for record in log.alarms()]
    assert states == ["UNACK", "ACKED"]
    assert log.of(Topic.DEAD_LETTERS) == []
    successor = log.take_over()
    again = command_fields("ack", log.alarms()[-1].event_id)
    (answer,) = successor.handle_record(command_record(again, 2), NOW_NS)
    result = CommandResult.from_json(answer.value or b"")
    assert result.detail.endswith("acknowledged already, ACKED")


def test_a_record_is_judged_whole_or_not_at_all(monkeypatch) -> None:
    """The second of two alarms fails: the first is not raised in memory alone, but next time."""
    high = point(OTHER, alarm_id=f"{OTHER}/HIGH", condition="HIGH")
    log = TopicLog(points={OTHER: (point(OTHER), high)})
    pipeline = log.take_over()
    write = scribe.outgoing

    def fails_at_first(topic: Topic, key: str, message: KeyedMessage) -> OutgoingRecord:
        if key == high.alarm_id:
            monkeypatch.setattr(scribe, "outgoing", write)
            raise MemoryError
        return write(topic, key, message)

    monkeypatch.setattr(scribe, "outgoing", fails_at_first)
    for number in range(5):
        record = score_record(score(number, 6.0, OTHER), number)
        log.write(pipeline.handle_record(record, NOW_NS), pipeline)
    (letter,) = log.of(Topic.DEAD_LETTERS)
    assert header(letter, "dlq.detail") == "MemoryError: "
    assert {record.alarm_id for record in log.alarms()} == {f"{OTHER}/OVERHEAT", high.alarm_id}
