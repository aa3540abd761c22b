"""A header whose name is no UTF-8 stops neither the manager nor the projection."""

import pytest
from meltwatch_schemas.topics import Topic

from tests.support.foreign_batches import batch_of, send_all
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, score

pytestmark = pytest.mark.integration


def test_header_names_in_any_bytes_end_nothing(kafka, broker, topics, view, make_manager):
    names = [topics.name(topic) for topic in (Topic.SCORES, Topic.ALARM_COMMANDS, Topic.ALARMS)]
    with make_manager() as manager:
        manager.wait_ready()
        send_all(kafka.address, names, [batch_of([b"a", b"\xff\xfe", b"b"])])
        broker.send_scores(score(number, 6.0) for number in range(4))
        key = f"{broker.prefix}:alarm:{ALARM_ID}"
        until(lambda: view.hget(key, "state") == "UNACK", "the alarm in Redis")
        wanted = {(name, offset) for name in names for offset in range(3)}
        until(lambda: letters(broker) >= wanted, "dead letters")


def letters(broker) -> set[tuple[str, int]]:
    found = [(record, dict(record.headers)) for record in broker.read(Topic.DEAD_LETTERS)]
    assert all(record.value == b"v" * 100 for record, _ in found)
    return {(h["dlq.topic"].decode(), int(h["dlq.offset"])) for _, h in found}
