"""The judge of alarms: he agrees with a faultless manager, and sees whatever is wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.topics import Topic

from tests.chaos.alarm_oracle import Change, Judged, changes
from tests.chaos.alarm_points import HOP, POINTS, Point
from tests.chaos.alarm_verdict import expected, judge_alarms, us
from tests.chaos.tape import BY_STATE, CODES, Message, Score, Tape
from tests.unit.core.alarms.samples import command_fields, command_record, score, score_record
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

LOGITS = (9.0, 8.5, 8.3, 8.0, 7.0)
STEADY = POINTS[0].furnace
LIFE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("shelve", {"arguments": {"duration_s": 60.0, "one_shot": True, "reason": "noise"}}),
    ("judge", {"arguments": {"verdict": "unclear"}}),
    ("ack", {}),
    ("unshelve", {}),
    ("unshelve", {}),
    ("suppress", {}),
    ("suppress", {}),
    ("unsuppress", {}),
    ("out_of_service", {"arguments": {"reason": "new camera", "work_order": "WO 3"}}),
    ("shelve", {"arguments": {"duration_s": 60.0, "reason": "noise"}}),
    ("in_service", {}),
    ("decommission", {"arguments": {"reason": "torn down"}}),
    ("comment", {}),
)
"""One after the other, a window between."""


def by_the_product(point: Point, windows: list[Judged]) -> list[Change]:
    condition, found = Condition(), []
    for position, (end, logit, digest) in enumerate(windows):
        setpoint = Setpoint.model_validate(point.under(digest).fields["setpoint"])
        condition = observe(condition, Sample(end, logit, position), setpoint)
        change = due(condition, setpoint)
        if change is not None:
            cause = "CLEAR" if condition.active else "RAISE"
            found.append(Change(cause, change.first_ns, end, logit))
            condition = decided(condition)
    return found


@given(
    st.sampled_from(POINTS[:3]),
    st.lists(
        st.tuples(
            st.sampled_from((1, 1, 1, 2, 3, 40)), st.sampled_from(LOGITS), st.sampled_from("AAAB")
        ),
        max_size=60,
    ),
)
def test_his_rule_is_that_of_the_product(point: Point, steps: list[tuple[int, float, str]]) -> None:
    """Also where another ensemble judges now and then, for which a set-point is prepared."""
    point = replace(point, prepared={"B": replace(point, on=point.on - 0.5, off=point.off - 0.5)})
    end, windows = 0, list[Judged]()
    for step, logit, digest in steps:
        end += step * HOP
        windows.append(Judged(end, logit, digest))
    assert list(changes(point, windows)) == by_the_product(point, windows)


@pytest.fixture(scope="module")
def played() -> Tape:
    """What a faultless manager leaves: raises, clears, an acknowledgement and a refusal."""
    points = tuple(AlarmPoint.model_validate(point.fields) for point in POINTS[:3])
    log = TopicLog({STEADY: points})
    logits = [LOGITS[number * 7 % 11 % 5] for number in range(60)]
    scores = [score(number, logit, STEADY) for number, logit in enumerate(logits)]
    pipeline = log.judge(scores[:30])
    commands: list[Message] = []

    def order(word: str, codes: str = BY_STATE, now_ns: int = NOW_NS, **changes: Any) -> None:
        newest = next(a for a in reversed(log.alarms()) if a.alarm_id == POINTS[0].alarm_id)
        event_id = newest.event_id if word in ("ack", "reset", "explode") else None
        fields = command_fields(Command.ACK, event_id, alarm_id=newest.alarm_id, **changes)
        fields["command"] = word
        record = command_record(fields, len(commands), key=newest.alarm_id)
        log.write(pipeline.handle_record(record, now_ns), pipeline)
        place = ("alarm-commands", 0, len(commands))
        commands.append(Message(place, newest.alarm_id, {CODES: codes}, fields))

    def read(begin: int, end: int) -> None:
        written = []
        for offset in range(begin, end):
            written += pipeline.handle_record(score_record(scores[offset], offset), NOW_NS)
        log.write(written, pipeline)

    order("ack")
    order("ack")
    order("explode", "unknown_command")
    for begin, (word, told) in enumerate(LIFE):
        order(word, role="engineer", **told)
        read(30 + begin, 31 + begin)
    order("shelve", arguments={"duration_s": 1.0, "reason": "noise"})
    log.write(pipeline.tick(NOW_NS + 2_000_000_000, None), pipeline)
    read(30 + len(LIFE), len(scores))
    return Tape(
        scores=[_as_read(made) for made in scores],
        alarms=_messages(log, Topic.ALARMS),
        commands=commands,
        results=_messages(log, Topic.ALARM_RESULTS),
    )


def _as_read(made: Any) -> Score:
    fields = {
        "furnace_id": made.furnace_id,
        "window_end_ns": made.window_end_ns,
        "logit": made.logit,
        "model": {"digest": made.model.digest},
        "times": {"published_ns": made.times.published_ns},
    }
    return Score(0, 0, fields)


def _messages(log: TopicLog, topic: Topic) -> list[Message]:
    return [
        Message((topic.value, 0, offset), out.key.decode(), {}, json.loads(out.value))
        for offset, out in enumerate(log.of(topic))
        if out.key is not None and out.value is not None
    ]


def test_he_finds_no_fault_where_there_is_none(played: Tape) -> None:
    assert len(expected(POINTS[0], played.scores)) > 3
    assert judge_alarms(played) == []


def _changed(message: Message, **fields: Any) -> Message:
    return replace(message, fields={**message.fields, **fields})


def _silence(tape: Tape) -> None:
    raised = next(each for each in tape.alarms if each.fields["transition"]["cause"] == "RAISE")
    heard_ns = NOW_NS - 5_000_000_000
    heard = {**tape.scores[-1].fields, "window_end_ns": heard_ns, "logit": None}
    heard["times"] = {"published_ns": heard_ns}
    tape.scores.append(Score(0, 60, heard))
    key, number = f"{STEADY}/FURNACE_SILENT", {"epoch": 9, "seq": 9, "event_id": "new"}
    tape.alarms.append(replace(_changed(raised, **number, **{"class": "system"}), key=key))


def _unfound(tape: Tape) -> None:
    """Have the window of the first raise not be there."""
    end = us(tape.alarms[0].fields["evidence"]["window_end"])
    tape.scores[:] = [each for each in tape.scores if each.end // 1000 != end]


def _number_of(tape: Tape, cause: str) -> int:
    return next(i for i, a in enumerate(tape.alarms) if a.fields["transition"]["cause"] == cause)


def _set(tape: Tape, cause: str, **fields: Any) -> None:
    number = _number_of(tape, cause)
    tape.alarms[number] = _changed(tape.alarms[number], **fields)


def _refused(tape: Tape) -> int:
    return max(i for i, a in enumerate(tape.results) if a.fields["code"] == "wrong_state")


TAMPERINGS: dict[str, Callable[[Tape], object]] = {
    "a raise is lost": lambda tape: tape.alarms.pop(0),
    "the last is lost": lambda tape: tape.alarms.pop(),
    "one comes twice": lambda tape: tape.alarms.append(tape.alarms[-1]),
    "one is written again": lambda tape: tape.alarms.append(
        _changed(tape.alarms[-1], epoch=7, event_id="new")
    ),
    "the order is another": lambda tape: tape.alarms.insert(3, tape.alarms.pop(8)),
    "it rests on another window": _unfound,
    "the command is not answered": lambda tape: tape.results.pop(0),
    "it is answered twice": lambda tape: tape.results.append(tape.results[0]),
    "the answer is wrong": lambda tape: tape.results.__setitem__(
        1, _changed(tape.results[1], code="stale")
    ),
    "what was granted was not done": lambda tape: tape.alarms.__delitem__(
        next(i for i, a in enumerate(tape.alarms) if a.fields["transition"]["cause"] == "ACK")
    ),
    "an expiry never came": lambda tape: tape.alarms.__delitem__(
        slice(_number_of(tape, "CLOCK"), None)
    ),
    "it is not shelved": lambda tape: _set(tape, "SHELVE", suppressed=[], shelve=None),
    "what is shelved calls": lambda tape: _set(tape, "SHELVE", state="UNACK"),
    "it ran out too soon": lambda tape: _set(
        tape, "CLOCK", times={"published": "2020-01-01T00:00:00.000000Z"}
    ),
    "it left its past behind": lambda tape: tape.alarms.pop(_number_of(tape, "DECOMMISSION")),
    "a right answer in no state": lambda tape: tape.results.__setitem__(
        _refused(tape), _changed(tape.results[_refused(tape)], code="stale")
    ),
    "the wrong one asked": lambda tape: _set(
        tape,
        "JUDGE",
        transition=tape.alarms[_number_of(tape, "JUDGE")].fields["transition"] | {"by": "somebody"},
    ),
    "nobody asked for it": lambda tape: tape.results.__setitem__(
        0, _changed(tape.results[0], event_id=None)
    ),
    "the furnace was not silent": _silence,
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_he_sees_what_is_wrong(played: Tape, what: str) -> None:
    tape = Tape(
        scores=list(played.scores),
        alarms=list(played.alarms),
        commands=list(played.commands),
        results=list(played.results),
    )
    TAMPERINGS[what](tape)
    assert judge_alarms(tape)


def test_only_what_was_just_heard_is_not_silent(played: Tape) -> None:
    tape = replace(played, scores=list(played.scores), alarms=list(played.alarms))
    _silence(tape)
    assert [line for line in judge_alarms(tape) if "5.0 s after its last window" in line]
    tape.scores.pop()
    assert not [line for line in judge_alarms(tape) if "after its last window" in line]
