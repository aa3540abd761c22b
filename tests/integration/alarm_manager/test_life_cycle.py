"""Scores in, alarms out, commands obeyed, Redis equal to the topic."""

import json
import signal
import time
from dataclasses import replace

import pytest
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from tests.integration.alarm_manager.bench import wait_for_view
from tests.support.waiting import until
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    json_record,
    point,
    score,
    score_record,
    setpoint,
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
        wait_for_view(view, broker)
        (letter,) = until(lambda: broker.read(Topic.DEAD_LETTERS), "the letter")
        assert dict(letter.headers)["dlq.error"] == b"malformed"

        assert manager.probe("/healthz")[0] == 200
        counted = 'alarm_annunciations_total{priority="high"} 1.0'
        until(lambda: counted in manager.probe("/metrics")[1], "the counter")
        manager.signal(signal.SIGTERM)
        assert manager.wait() == 0
    heartbeat = json.loads(broker.read(Topic.HEARTBEATS)[-1].value)
    reigns = len(manager.log_lines("reign_began"))
    assert (heartbeat["service"], heartbeat["epoch"]) == ("alarm_manager", reigns)
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


def test_a_shelving_that_runs_out_while_no_manager_runs_is_over_when_the_next_one_begins(
    broker, view, make_manager
):
    prefix = broker.prefix
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        (raised,) = broker.wait_alarms(1)
        order = command_fields("shelve", arguments={"duration_s": 8, "reason": "chattering"})
        broker.send(command_record(order, prefix=prefix))
        _, shelved = broker.wait_alarms(2)
        assert (shelved.state, shelved.active, shelved.retain) == ("SHLVD", True, False)
        until_ms = ns_from_utc(shelved.shelve.until) // NS_PER_MS
        until(lambda: view.zscore(f"{prefix}:shelved", ALARM_ID) == until_ms, "the view")
        manager.kill()
    until(lambda: time.time_ns() // NS_PER_MS > until_ms, "the end of the shelving")
    with make_manager() as successor:
        told = broker.wait_alarms(3)[2]
        assert (told.transition.cause, told.state, told.shelve) == ("CLOCK", "UNACK", None)
        assert (told.occurrence_id, told.retain) == (raised.occurrence_id, True)
        assert told.epoch > shelved.epoch
        successor.wait_ready()
        until(lambda: view.smembers(f"{prefix}:unacked") == {ALARM_ID}, "the view")
        assert view.zrange(f"{prefix}:shelved", 0, -1) == []


OUT = {"reason": "new lining", "work_order": "WO-7"}
LASTING = {"duration_s": 600, "reason": "tests"}
ARGUMENTS = {"shelve": LASTING, "out_of_service": OUT}
NEVER = {"unshelve", "unsuppress", "in_service"}
LIFE = [
    # What leads to a state, the state, and which commands are refused in it.
    ("suppress", "DSUPR", {"reset", "unshelve", "suppress", "in_service", "ack"}),
    ("unsuppress", "NORM", {"ack", "reset", *NEVER}),
    ("shelve", "SHLVD", {"ack", "reset", "unsuppress", "in_service"}),
    ("unshelve", "NORM", {"ack", "reset", *NEVER}),
    (6.0, "UNACK", {"reset", *NEVER}),
    ("ack", "ACKED", {"reset", *NEVER}),
    (-6.0, "LATAK", NEVER),
    ("reset", "NORM", {"reset", *NEVER}),
    (6.0, "UNACK", {"reset", *NEVER}),
    ("out_of_service", "OOSRV", {"ack", "reset", "shelve", "unshelve", "out_of_service"}),
    ("in_service", "UNACK", {"reset", *NEVER}),
    (-6.0, "LATUN", NEVER),
    ("reset", "RTNUN", {"reset", *NEVER}),
    ("ack", "NORM", {"reset", *NEVER}),
]


def test_every_command_is_refused_or_done_as_the_state_demands(broker, make_manager):
    """Over Kafka alone; that nothing else is refused is shown by what leads on."""
    prefix = broker.prefix
    latching = point(reset_required=True, setpoint=setpoint(), setpoint_digest=None)
    number = 0
    with make_manager() as manager:
        broker.send(json_record(Topic.ALARM_POINTS, latching, ALARM_ID, prefix=prefix))
        manager.wait_ready()
        for lead, state, refused in LIFE:
            if isinstance(lead, str):
                (answer,) = ask(broker, lead)
                assert (answer.code, answer.detail) == ("ok", f"now {state}")
            else:
                broker.send_scores(score(number + each, lead) for each in range(12))
                number += 12
                until(lambda state=state: broker.alarms()[-1].state == state, state)
            codes = {each.code for each in ask(broker, *sorted(refused))}
            assert codes <= {"wrong_state"}, state


def ask(broker, *words: str):
    """Send commands of an engineer to the alarm as it is, and return the answers in order."""
    alarms = broker.alarms()
    event_id = alarms[-1].event_id if alarms else "0" * 32
    orders = [
        command_fields(
            word,
            event_id if word in ("ack", "reset") else None,
            role="engineer",
            arguments=ARGUMENTS.get(word, {}),
        )
        for word in words
    ]
    broker.send(*(command_record(order, prefix=broker.prefix) for order in orders))

    def answers():
        found = [
            CommandResult.from_json(record.value) for record in broker.read(Topic.ALARM_RESULTS)
        ]
        by_id = {each.command_id: each for each in found}
        ids = [order["command_id"] for order in orders]
        return [by_id[each] for each in ids] if by_id.keys() >= set(ids) else None

    return until(answers, f"answers to {words}")
