"""Every field of every message that the alarm manager reads, spoilt in every way."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.score import encode_score
from meltwatch_schemas.topics import Topic

from tests.support.mutations import mutants, pairs
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    PREFIX,
    command_fields,
    point,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

NEIGHBOUR = "a/b/F1"
MESSAGES: dict[Topic, tuple[str, str, dict[str, Any]]] = {
    Topic.SCORES: ("score/1.0", FURNACE, msgpack.unpackb(encode_score(score(3, 6.0)))),
    Topic.ALARM_POINTS: ("alarm-point/1.0", ALARM_ID, json.loads(point().to_json())),
    Topic.ALARM_COMMANDS: (
        "alarm-command/1.0",
        ALARM_ID,
        command_fields("shelve", "0" * 32, arguments={"duration_s": 60, "one_shot": True}),
    ),
    Topic.FURNACE_STATES: (
        "furnace-state/1.0",
        FURNACE,
        {"state": "off", "since": "2026-01-01T00:00:00.000000Z", "by": "mes"},
    ),
}
ANSWERED = {Topic.DEAD_LETTERS, Topic.ALARM_RESULTS}


def spoilt(topic: Topic) -> Iterator[RawRecord]:
    schema, key, fields = MESSAGES[topic]
    packed = topic is Topic.SCORES
    headers = headers_for(schema) if packed else headers_for(schema, JSON)
    for offset, (_, made) in enumerate([*mutants(fields), *pairs(fields, 200, seed=12)], 1000):
        value = msgpack.packb(made) if packed else json.dumps(made).encode()
        yield RawRecord(
            topic.under(PREFIX), 0, offset, NOW_NS // 10**6, key.encode(), value, tuple(headers)
        )


def changes_of(written: list[OutgoingRecord]) -> list[tuple[str, str]]:
    alarms = [AlarmRecord.from_json(r.value or b"") for r in written if r.topic is Topic.ALARMS]
    return [(alarm.alarm_id, alarm.state) for alarm in alarms]


@pytest.mark.parametrize("topic", MESSAGES, ids=str)
def test_whatever_stands_in_a_field_ends_nothing_and_harms_no_neighbour(topic: Topic) -> None:
    pipeline = TopicLog().take_over()
    written: list[OutgoingRecord] = []
    for number in range(3):
        pipeline.handle_record(score_record(score(number, 6.0), number), NOW_NS)
    answers = 0
    for record in spoilt(topic):
        said = pipeline.handle_record(record, NOW_NS)
        answers += bool(said)
        written += said
    pipeline.commits()

    for message in written:
        assert len(message.value or b"") < 256 * 1024 or message.topic is Topic.DEAD_LETTERS
    changes_of(written)  # what was written of alarms can be read
    if topic is Topic.ALARM_COMMANDS:
        assert answers == sum(1 for _ in spoilt(topic))
    scores = [
        replace(score_record(score(number, 6.0, NEIGHBOUR), number), offset=50_000 + number)
        for number in range(5)
    ]
    after = [message for record in scores for message in pipeline.handle_record(record, NOW_NS)]
    assert changes_of(after) == [(f"{NEIGHBOUR}/OVERHEAT", "UNACK")]
