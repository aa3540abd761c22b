"""The hostile corpus on every topic of the alarm manager, on a real broker: all of it is kept.

The same corpus is judged case by case in ``tests/unit/alarm_manager/test_hostile_records.py``.
"""

import json
import time
from typing import Any

import pytest
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.hostile_alarms import foreign_records, hostile_alarm_inputs
from tests.support.hostile_sender import send_hostile
from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, command_fields, command_record, score

pytestmark = pytest.mark.integration
OTHER = "a/b/F1"


def raise_and_acknowledge(broker: Any, numbers: range) -> None:
    """Prove that a good score still raises, and that a good command is still answered."""
    before = len(raised_of(broker))
    broker.send_scores(score(number, 6.0) for number in numbers)
    raised = until(lambda: raised_of(broker)[before:], "the good alarm")[-1]
    assert raised.state == "UNACK"
    order = command_fields("ack", raised.event_id)
    broker.send(command_record(order, prefix=broker.prefix))
    answer = until(lambda: answers(broker).get(order["command_id"]), "its answer")
    assert answer == ["ok"]


def raised_of(broker: Any) -> list[AlarmRecord]:
    values = [r.value for r in broker.read(Topic.ALARMS) if r.key == ALARM_ID.encode()]
    records = [AlarmRecord.from_json(value) for value in values if value is not None]
    return [record for record in records if record.transition.cause == "RAISE"]


def answers(broker: Any) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for record in broker.read(Topic.ALARM_RESULTS):
        answer = json.loads(record.value)
        found.setdefault(answer["command_id"], []).append(answer["code"])
    return found


def letters(broker: Any) -> dict[tuple[str, int], str]:
    """Return the reason of each dead letter by topic and offset of the record."""
    headers = [dict(letter.headers) for letter in broker.read(Topic.DEAD_LETTERS)]
    return {
        (h["dlq.topic"].decode(), int(h["dlq.offset"])): h["dlq.error"].decode() for h in headers
    }


def wait_for_letters(broker: Any, wanted: set[tuple[str, int]]) -> None:
    until(lambda: letters(broker).keys() >= wanted, "every dead letter")


def test_the_whole_corpus_is_kept_with_its_reasons_and_good_records_go_on(
    kafka, broker, view, make_manager
):
    prefix = broker.prefix
    with make_manager() as manager:
        manager.wait_ready()
        now_ns = time.time_ns()
        broker.send_scores([score(0, -1.0, OTHER)])
        corpus = list(hostile_alarm_inputs(OTHER, PUBLISHED_SPEC.first_end_after(OTHER, now_ns)))
        stands = send_hostile(kafka.address, prefix, corpus)
        expected = {
            (topic.under(prefix), offset): hostile.expected
            for (topic, offset), hostile in stands.items()
            if hostile.expected
        }
        wait_for_letters(broker, set(expected))
        assert letters(broker) == expected
        raise_and_acknowledge(broker, range(4))
        codes = sorted(code for found in answers(broker).values() for code in found)
        assert codes == sorted(["ok", *(h.answer for h in stands.values() if h.answer)])
        until(lambda: view.hget(f"{prefix}:alarm:{ALARM_ID}", "state") == "ACKED", "the view")
        assert manager.log_lines("attempt_failed") == []
        assert len(manager.log_lines("reign_began")) == 1


@pytest.mark.long
def test_what_others_write_on_its_topics_is_noticed_and_put_right(
    kafka, broker, view, make_manager
):
    prefix, key = broker.prefix, f"{broker.prefix}:alarm:{ALARM_ID}"
    with make_manager() as manager:
        manager.wait_ready()
        raise_and_acknowledge(broker, range(4))
        truth = AlarmRecord.from_json(broker.read(Topic.ALARMS)[-1].value)
        forged = list(foreign_records(FURNACE, truth.to_json(), time.time_ns()))

        def told() -> list[dict[str, Any]]:
            return manager.log_lines("foreign_writer")

        for turn, part in enumerate([forged[::2], forged[1::2]]):
            if turn:  # once more while nobody is there to see it
                manager.kill()
            stands = send_hostile(kafka.address, prefix, part)
            if turn:
                manager.start()
            until(lambda: shown_state(view, key) == "ACKED", "Redis")
            wait_for_letters(broker, {(topic.under(prefix), offset) for topic, offset in stands})
            until(lambda: shown_state(view, key) == "ACKED", "Redis")
            # Before it dies, so that nothing is left unsaid.
            until(lambda: len(told()) >= len(letters(broker)), lambda: f"lines, got {told()}")
        lines = told()
        assert len(lines) == len(letters(broker)), "each once, and nothing of its own"
        assert {"topic", "partition", "offset"} <= lines[0].keys()
        until(lambda: f"{prefix}/FOREIGN_WRITER" in view.smembers(f"{prefix}:unacked"), "alarm")
        counted = "meltwatch_foreign_records_total"
        until(lambda: counted in manager.probe("/metrics")[1], "the counter")
        shown = AlarmRecord.from_json(view.hget(key, "record").encode())
        assert (shown.state, shown.occurrence_id) == ("ACKED", truth.occurrence_id)
        broker.send_scores(score(number, -6.0) for number in range(4, 11))
        until(lambda: shown_state(view, key) == "NORM", "the true end")


def shown_state(view: Any, key: str) -> str | None:
    found: str | None = view.hget(key, "state")
    return found
