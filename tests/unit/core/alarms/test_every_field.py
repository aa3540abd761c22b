"""Every field of every message that the alarm manager reads, spoilt in every way."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.novelty import FollowedLevels, Novelty
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.score import encode_score
from meltwatch_schemas.topics import Topic

from tests.support.mutations import mutants, pairs
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    PREFIX,
    command_fields,
    novelty_point,
    point,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

NEIGHBOUR = "a/b/F1"
COMPARED = replace(
    score(3, 6.0),
    novelty=Novelty(
        portrait="a" * 64,
        video=4.0,
        current=1.0,
        peak=(0, 7),
        followed_video=FollowedLevels(NOW_NS, np.full(64, 3.0, np.float16)),
        followed_current=FollowedLevels(NOW_NS, np.full(1, 3.0, np.float16)),
        unusual=2**88,
    ),
)
ON_PORTRAIT = novelty_point()
MESSAGES: dict[str, tuple[Topic, str, str, dict[str, Any]]] = {
    "scores": (Topic.SCORES, "score/1.0", FURNACE, msgpack.unpackb(encode_score(COMPARED))),
    "alarm-points": (
        Topic.ALARM_POINTS,
        "alarm-point/1.0",
        ALARM_ID,
        json.loads(point().to_json()),
    ),
    "alarm-points on a portrait": (
        Topic.ALARM_POINTS,
        "alarm-point/1.0",
        ON_PORTRAIT.alarm_id,
        json.loads(ON_PORTRAIT.to_json()),
    ),
    "alarm-commands": (
        Topic.ALARM_COMMANDS,
        "alarm-command/1.0",
        ALARM_ID,
        command_fields("shelve", "0" * 32, arguments={"duration_s": 60, "one_shot": True}),
    ),
    "furnace-states": (
        Topic.FURNACE_STATES,
        "furnace-state/1.0",
        FURNACE,
        {"state": "off", "since": "2026-01-01T00:00:00.000000Z", "by": "mes"},
    ),
}
ANSWERED = {Topic.DEAD_LETTERS, Topic.ALARM_RESULTS}


def spoilt(message: str) -> Iterator[RawRecord]:
    topic, schema, key, fields = MESSAGES[message]
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


@pytest.mark.parametrize("message", MESSAGES)
def test_whatever_stands_in_a_field_ends_nothing_and_harms_no_neighbour(message: str) -> None:
    topic = MESSAGES[message][0]
    pipeline = TopicLog(points={FURNACE: (point(), ON_PORTRAIT)}).take_over()
    written: list[OutgoingRecord] = []
    for number in range(3):
        pipeline.handle_record(score_record(score(number, 6.0), number), NOW_NS)
    answers = 0
    for record in spoilt(message):
        said = pipeline.handle_record(record, NOW_NS)
        answers += bool(said)
        written += said
    pipeline.commits()

    for out in written:
        assert len(out.value or b"") < 256 * 1024 or out.topic is Topic.DEAD_LETTERS
    changes_of(written)  # what was written of alarms can be read
    if topic is Topic.ALARM_COMMANDS:
        assert answers == sum(1 for _ in spoilt(message))
    scores = [
        replace(score_record(score(number, 6.0, NEIGHBOUR), number), offset=50_000 + number)
        for number in range(5)
    ]
    after = [out for record in scores for out in pipeline.handle_record(record, NOW_NS)]
    assert changes_of(after) == [(f"{NEIGHBOUR}/OVERHEAT", "UNACK")]
