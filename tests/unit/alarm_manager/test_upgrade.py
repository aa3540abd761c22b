"""An alarm manager that takes over from version 0.1 knows what that one knew."""

import json
from typing import Any

from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.commit_note import commit_of
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.topics import Topic

from tests.support.released_tail import TAIL, records_of
from tests.unit.core.alarms.samples import (
    PREFIX,
    command_fields,
    command_record,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, STATES

ACKED, WAITING = "a/b/F1/OVERHEAT", "a/b/F2/OVERHEAT"


def commits_of_tail() -> dict[Place, Commit | None]:
    return {
        Place(Topic(commit["topic"]), commit["partition"]): commit_of(
            commit["offset"], commit["metadata"]
        )
        for commit in TAIL["commits"]
    }


def taken_over() -> AlarmPipeline:
    pipeline = AlarmPipeline(MasterAlarmList({}, PREFIX), Metrics(), PREFIX)
    for record in records_of("alarms"):
        pipeline.restore_alarm(record)
    for record in records_of("results"):
        pipeline.restore_result(record)
    commits = commits_of_tail() | {STATES: None}
    pipeline.begin_reign(
        commits,
        {p: range(commit.offset if commit else 0, 100) for p, commit in commits.items()},
    )
    return pipeline


def changes(pipeline: AlarmPipeline, logit: float, numbers: range) -> list[tuple[str, str]]:
    """Judge windows of both furnaces; return which alarms changed into what."""
    written = []
    for number in numbers:
        for place, name in enumerate(("a/b/F1", "a/b/F2")):
            record = score_record(score(number, logit, name), 2 * number + place)
            written += pipeline.handle_record(record, NOW_NS)
    alarms = [
        AlarmRecord.from_json(one.value or b"") for one in written if one.topic is Topic.ALARMS
    ]
    return [(alarm.alarm_id, alarm.state) for alarm in alarms]


def test_scores_that_were_judged_are_recalled_and_new_ones_judged() -> None:
    commit = commits_of_tail()[SCORES]
    assert commit is not None
    assert (commit.offset, commit.position) == (10, 12)
    pipeline = taken_over()

    assert changes(pipeline, 6.0, range(5, 9)) == []
    assert changes(pipeline, -6.0, range(9, 16)) == [(ACKED, "NORM"), (WAITING, "RTNUN")]


def test_who_acknowledged_is_known_and_can_be_shown() -> None:
    last = AlarmRecord.from_json(records_of("alarms")[-1].value or b"")

    assert (last.alarm_id, last.state) == (ACKED, "ACKED")
    assert last.ack_by == r"li.wei\x1b[31m"
    assert last.transition.comment is not None
    assert last.transition.comment.isprintable()
    assert last.transition.comment.startswith(r"seen\nby the\x1b[2J second shift xxx")


def test_a_command_that_was_answered_is_a_duplicate() -> None:
    known: dict[str, Any] = json.loads(records_of("results")[0].value or b"")
    order = command_fields("ack", "0" * 32, alarm_id=ACKED, command_id=known["command_id"])

    answers = taken_over().handle_record(command_record(order, 1, key=ACKED), NOW_NS)

    codes = [json.loads(answer.value or b"")["code"] for answer in answers]
    assert codes == ["duplicate"]
