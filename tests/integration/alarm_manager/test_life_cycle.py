"""Scores in, alarms out, commands obeyed, Redis equal to the topic."""

import json
import signal
from dataclasses import replace

import pytest
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import assert_view_equals
from tests.support.waiting import until
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    score,
    score_record,
    window_end,
)

pytestmark = pytest.mark.integration


def test_an_alarm_lives_from_its_raise_over_the_acknowledgement_to_normal(
    broker, view, make_manager
):
    prefix = broker.prefix
    with make_manager() as manager:
        manager.wait_ready()
        broker.send(replace(score_record(score(0, 6.0), 0, prefix), value=b"\xc1"))
        broker.send_scores(score(number, 6.0) for number in range(4))
        (raised,) = broker.wait_alarms(1)
        assert raised.state == "UNACK"

        order = command_fields("ack", raised.event_id)
        broker.send(command_record(order, prefix=prefix), command_record(order, prefix=prefix))
        _, acked = broker.wait_alarms(2)
        assert (acked.state, acked.ack_by) == ("ACKED", "li.wei")
        answers = until(
            lambda: found if len(found := broker.read(Topic.ALARM_RESULTS)) == 2 else None,
            "answers",
        )
        assert [json.loads(answer.value)["code"] for answer in answers] == ["ok", "duplicate"]

        broker.send_scores(score(number, -6.0) for number in range(4, 11))
        alarms = broker.wait_alarms(3)
        assert alarms[-1].state == "NORM"
        until(lambda: view.xlen(f"{prefix}:journal") == 3, "the view")
        assert_view_equals(view, prefix, alarms)
        (letter,) = broker.read(Topic.DEAD_LETTERS)
        assert dict(letter.headers)["dlq.error"] == b"malformed"

        assert manager.probe("/healthz")[0] == 200
        assert 'alarm_annunciations_total{priority="high"} 1.0' in manager.probe("/metrics")[1]
        manager.signal(signal.SIGTERM)
        assert manager.wait() == 0
    heartbeat = json.loads(broker.read(Topic.HEARTBEATS)[-1].value)
    assert (heartbeat["service"], heartbeat["epoch"]) == ("alarm_manager", 1)
    record = broker.read(Topic.ALARMS)[0]
    assert record.key == ALARM_ID.encode()
    assert dict(record.headers) == {"schema": b"alarm/1.0", "content-type": b"application/json"}


def test_redis_shows_the_newest_verdict_on_each_furnace(broker, view, make_manager):
    with make_manager() as manager:
        manager.wait_ready()
        blind = score(3, None, "a/b/F1", modalities=())
        broker.send_scores([score(2, 1.5), score(1, -1.0), blind])
        names = f"{broker.prefix}:furnaces"
        until(lambda: view.smembers(names) == {FURNACE, "a/b/F1"}, "two furnaces")
    seen = view.hgetall(f"{broker.prefix}:furnace:{FURNACE}")
    end = f"{window_end(2) // 1000 % 1_000_000:06d}Z"
    assert seen.pop("window_end").endswith(end)
    assert seen.pop("last_event").endswith(end)
    assert seen == {
        "probability": "0.5",
        "logit": "1.5",
        "status": "scored",
        "video_coverage": "1.0",
        "current_coverage": "1.0",
        "model": "fmformer/1",
        "unregistered": "true",
    }
    unscored = view.hgetall(f"{broker.prefix}:furnace:a/b/F1")
    assert (unscored["logit"], unscored["status"]) == ("", "unscored")


def test_a_decommissioned_alarm_leaves_the_view_and_a_successor_does_not_know_it(
    broker, view, make_manager
):
    prefix = broker.prefix
    reason = {"reason": "the furnace is torn down"}
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        broker.wait_alarms(1)
        until(lambda: view.exists(f"{prefix}:alarm:{ALARM_ID}"), "the alarm in the view")
        order = command_fields("decommission", role="engineer", arguments=reason)
        broker.send(command_record(order, prefix=prefix))
        until(lambda: not view.exists(f"{prefix}:alarm:{ALARM_ID}"), "the view without the alarm")
        assert not view.zscore(f"{prefix}:active", ALARM_ID)
    *_, last, grave = broker.read(Topic.ALARMS)
    assert json.loads(last.value)["transition"]["cause"] == "DECOMMISSION"
    assert (grave.key, grave.value) == (ALARM_ID.encode(), None)
    with make_manager() as manager:
        manager.wait_ready()
        broker.send(command_record(command_fields("comment"), prefix=prefix))
        answers = until(
            lambda: found if len(found := broker.read(Topic.ALARM_RESULTS)) == 2 else None,
            "an answer",
        )
        # Its furnace was judged a moment ago: the alarm point is known, and was never raised.
        assert json.loads(answers[-1].value)["code"] == "wrong_state"
    assert broker.read(Topic.ALARMS)[-1].value is None
