"""Whatever dies, is frozen or flushed away: the alarms are what they would have been."""

import random
import signal
import time

import pytest
from meltwatch_schemas.instants import utc_from_ns

from tests.integration.alarm_manager.bench import view_of, wait_for_view
from tests.support.waiting import until
from tests.unit.core.alarms.samples import FURNACE, score, window_end
from tests.unit.core.alarms.topic_log import TopicLog, without_run

pytestmark = pytest.mark.integration
KILLS = 6


def stream(furnace_id: str, seed: int, length: int = 240):
    """Return scores that raise and clear again and again, with breaks of every kind."""
    rng = random.Random(seed)
    logit, scores = 6.0, []
    for number in range(length):
        if rng.random() < 0.12:
            logit = rng.choice([6.0, 2.5, -2.0])
        if rng.random() > 0.03:
            scores.append(score(number, None if rng.random() < 0.03 else logit, furnace_id))
    return scores


def calm(scores):
    """Return the alarm records of a manager that nobody disturbs."""
    log = TopicLog()
    log.judge(scores)
    return [without_run(record) for record in log.alarms()]


def test_a_manager_killed_again_and_again_loses_nothing_and_repeats_nothing(
    broker, view, make_manager
):
    furnaces = [f"a/b/F{number}" for number in range(4)]
    streams = {name: stream(name, seed) for seed, name in enumerate(furnaces)}
    rng = random.Random(7)
    with make_manager() as manager:
        turns = list(zip(*streams.values(), strict=False))
        for kill in range(KILLS):
            part = turns[kill * len(turns) // KILLS : (kill + 1) * len(turns) // KILLS]
            for turn in part:
                broker.send_scores(turn)
            time.sleep(rng.uniform(0.0, 1.2))
            manager.kill()
            manager.start()
        sent = {name: [turn[i] for turn in turns] for i, name in enumerate(furnaces)}
        expected = {name: calm(scores) for name, scores in sent.items()}
        alarms = broker.wait_alarms(sum(map(len, expected.values())))
        for name in furnaces:
            mine = [record for record in alarms if record.equipment_path == name]
            assert [without_run(record) for record in mine] == expected[name]
            numbers = [(record.epoch, record.seq) for record in mine]
            assert numbers == sorted(set(numbers))
        assert len({record.event_id for record in alarms}) == len(alarms)
        wait_for_view(view, broker)


def test_a_frozen_manager_is_replaced_and_cannot_write_when_it_wakes(broker, make_manager):
    with make_manager("one") as first:
        first.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(4))
        broker.wait_alarms(1)
        with make_manager("two") as second:
            second.wait_ready()
            assert second.log_lines("reign_began") == []
            first.signal(signal.SIGSTOP)
            broker.send_scores(score(number, -6.0) for number in range(4, 11))
            cleared = broker.wait_alarms(2)[-1]
            assert cleared.transition.cause == "CLEAR"
            first.signal(signal.SIGCONT)
            broker.send_scores(score(number, 6.0) for number in range(11, 15))
            raised = broker.wait_alarms(3)
            until(lambda: first.probe("/readyz")[0] == 200, "the first as standby")
            # Who reigns may change again on a busy machine; what an old reign wrote never counts.
            assert [record.transition.cause for record in raised] == ["RAISE", "CLEAR", "RAISE"]
            before, *after = [record.epoch for record in raised]
            assert before < min(after)
            assert after == sorted(after)
            assert len(broker.wait_alarms(3)) == 3


def test_a_flushed_redis_is_made_anew_while_the_manager_runs(broker, view, make_manager):
    prefix = broker.prefix
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(5))
        broker.wait_alarms(1)
        wait_for_view(view, broker)
        shown = f"{prefix}:furnace:{FURNACE}"
        newest = utc_from_ns(window_end(4)).strftime("%H:%M:%S.%fZ")
        until(lambda: (view.hget(shown, "window_end") or "").endswith(newest), "the furnace")
        before = view_of(view, prefix)
        view.flushall()
        until(lambda: manager.log_lines("view_vanished"), "it being noticed")
        until(lambda: view_of(view, prefix) == before, lambda: view_of(view, prefix))
        wait_for_view(view, broker)
        manager.wait_ready()
