"""An operator acknowledges an annunciation, by whichever of its records was seen."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.alarm_state import Facts, Suppression
from meltwatch_core.alarms.annunciation import MAX_EVENTS, Annunciation
from meltwatch_core.alarms.manager.upkeep import follow_rules
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.registry import AlarmRegistry
from meltwatch_core.alarms.snapshot import Stamp
from meltwatch_schemas.alarm import AlarmRecord, Transition
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from tests.support.builders import alarm_record
from tests.support.examples import examples
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    PREFIX,
    command_fields,
    command_record,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog


class Watchman:
    """A manager of one furnace, fed window by window and command by command."""

    def __init__(self) -> None:
        self.log = TopicLog()
        self.pipeline = self.log.take_over()
        self.number = self.commands = 0

    def windows(self, logit: float | None, count: int) -> None:
        for _ in range(count):
            self.hear(score(self.number, logit))

    def hear(self, made: WindowScore) -> None:
        record = score_record(made, self.number)
        self.number += 1
        self.log.write(self.pipeline.handle_record(record, NOW_NS), self.pipeline)

    def order(self, command: str, event_id: str | None = None) -> CommandResult:
        made = command_record(command_fields(command, event_id), self.commands)
        self.commands += 1
        self.log.write(self.pipeline.handle_record(made, NOW_NS), self.pipeline)
        return CommandResult.from_json(self.log.of(Topic.ALARM_RESULTS)[-1].value or b"")

    def take_over(self) -> None:
        self.log.write([], self.pipeline)
        self.pipeline = self.log.take_over()

    def ids(self) -> list[str]:
        return [record.event_id for record in self.log.alarms()]


def announced(records: list[AlarmRecord]) -> list[AlarmRecord]:
    """Return the records of the standing annunciation, found without the code under test."""
    anew = [i for i, record in enumerate(records) if record.transition.cause == "RAISE"]
    return records[anew[-1] :] if anew else []


@examples(30)
@given(st.lists(st.sampled_from(["high", "low", "comment", "ack", "take over"]), max_size=25))
def test_any_event_since_the_last_raise_is_a_token_and_no_older_one(steps: list[str]) -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    for step in steps:
        if step == "take over":
            plant.take_over()
        elif step == "comment":
            plant.order("comment")
        elif step == "ack":
            plant.order("ack", plant.ids()[-1])
        else:
            plant.windows(3.0 if step == "high" else -3.0, 7)
    records = plant.log.alarms()
    standing = announced(records)
    good = {record.event_id for record in standing}
    is_waiting = not records[-1].acked
    first_ack = next((r.event_id for r in standing if r.transition.cause == "ACK"), None)

    for record in records:
        answer = plant.order("ack", record.event_id)
        if record.event_id not in good:
            assert answer.code == "stale"
        else:
            assert answer.code == "ok"
            first_ack = answer.event_id if is_waiting and first_ack is None else first_ack
            assert answer.event_id == first_ack


def test_each_record_names_the_annunciation_it_belongs_to() -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    plant.order("comment")
    plant.order("ack", plant.ids()[0])
    plant.windows(-3.0, 7)
    plant.windows(3.0, 4)

    first, *_, last = plant.log.alarms()
    assert [record.annunciation_id for record in plant.log.alarms()] == [
        first.event_id, first.event_id, first.event_id, first.event_id, last.event_id,
    ]  # fmt: skip


def compacted(log: TopicLog) -> TopicLog:
    """Return what a topic holds of which only the last record of the alarm is left."""
    (*_, last) = log.of(Topic.ALARMS)
    kept = TopicLog()
    kept.append([OutgoingRecord(Topic.ALARMS, last.key, last.value, last.headers)])
    return kept


def test_a_manager_that_finds_only_the_last_record_knows_what_it_announced() -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    for _ in range(3):
        plant.order("comment")
    raised, second, _, newest = plant.ids()
    for event_id, code in ((raised, "ok"), (newest, "ok"), (second, "stale")):
        successor = Watchman()
        successor.log = compacted(plant.log)
        successor.pipeline = successor.log.take_over()
        assert successor.order("ack", event_id).code == code


def test_what_was_acknowledged_long_ago_is_answered_with_an_event_of_it() -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    plant.order("ack", plant.ids()[0])
    plant.order("comment")
    successor = Watchman()
    successor.log = compacted(plant.log)
    successor.pipeline = successor.log.take_over()

    answer = successor.order("ack", plant.ids()[0])

    assert (answer.code, answer.event_id in plant.ids()) == ("ok", True)


def test_who_comes_back_under_an_older_version_finds_its_last_records_too() -> None:
    """Records without ``annunciation_id`` are those of a manager before it was known."""
    plant = Watchman()
    plant.windows(3.0, 4)
    plant.order("comment")
    old = TopicLog()
    for record in plant.log.of(Topic.ALARMS):
        fields = json.loads(record.value or b"")
        del fields["annunciation_id"]
        old.append([replace(record, value=json.dumps(fields).encode())])
    successor = Watchman()
    successor.log, successor.pipeline = old, old.take_over()

    assert successor.order("ack", plant.ids()[0]).code == "ok"
    assert successor.log.alarms()[-1].annunciation_id == plant.ids()[0]


@pytest.mark.parametrize("is_acked", [False, True])
def test_an_alarm_that_comes_out_of_suppression_is_announced_anew(is_acked: bool) -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    if is_acked:
        plant.order("ack", plant.ids()[0])
    registry = AlarmRegistry(MasterAlarmList({}, PREFIX))
    for record in plant.log.alarms():
        registry.restore(record)
    alarm = registry.last_known(ALARM_ID)
    assert alarm is not None
    hidden = follow_rules(alarm, frozenset({Suppression.MASKED}), Stamp(9, 1, NOW_NS))
    shown = follow_rules(hidden, frozenset(), Stamp(9, 2, NOW_NS))

    assert hidden.record is not None
    assert shown.record is not None
    assert not shown.annunciation.covers(plant.ids()[0])
    assert shown.annunciation.covers(shown.record.event_id)
    assert shown.record.annunciation_id == shown.record.event_id
    assert shown.record.ack_by is None
    assert shown.facts == Facts(active=True, acked=False)


def test_what_begins_unannounced_does_not_carry_the_token_of_what_was_before() -> None:
    old = alarm_record(annunciation_id=f"{1:032x}")
    masked = alarm_record(
        seq=2,
        occurrence_id="another",
        transition=Transition(from_="RTNUN", to="DSUPR", cause="RAISE"),
    )
    known = Annunciation().after(old, None).after(masked, old)
    assert not known.covers(old.event_id)
    assert known.covers(masked.event_id)
    assert known.event_id is None


def test_of_endless_remarks_the_newest_are_remembered_and_the_first_annunciation() -> None:
    known, before = Annunciation(), None
    for seq in range(1, MAX_EVENTS + 10):
        cause = "RAISE" if seq == 1 else "COMMENT"
        start = "NORM" if seq == 1 else "UNACK"
        told = Transition(from_=start, to="UNACK", cause=cause)
        record = alarm_record(seq=seq).model_copy(update={"transition": told})
        known, before = known.after(record, before), record
    assert len(known.since) == MAX_EVENTS
    assert known.covers(f"{1:032x}")
    assert not known.covers(f"{2:032x}")
