"""A server that is away costs delay and no alarm."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from meltwatch_local_cluster.servers import RedisServer
from redis import Redis

from tests.integration.alarm_manager.bench import wait_for_view
from tests.support.promise import Promise
from tests.support.waiting import until
from tests.unit.core.alarms.samples import score

pytestmark = pytest.mark.integration


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def is_unready(manager: Any, word: str) -> bool:
    code, said = manager.probe("/readyz")
    return code == 503 and word in said


def failures(manager: Any) -> list[dict[str, Any]]:
    """Return what was said of attempts that Redis failed."""
    return [line for line in manager.log_lines("attempt_failed") if "Redis" in line["error"]]


def view_on(server: RedisServer) -> Any:
    return Redis.from_url(server.address, decode_responses=True)


def test_alarms_go_on_while_redis_is_away_and_show_when_it_is_back(broker, make_manager, own_redis):
    with make_manager(redis=own_redis.address) as manager:
        manager.wait_ready()
        own_redis.kill()
        until(lambda: is_unready(manager, "Redis"), lambda: manager.probe("/readyz"))
        assert manager.probe("/healthz")[0] == 200
        broker.send_scores(score(number, 6.0) for number in range(4))
        broker.wait_alarms(1)
        until(lambda: failures(manager), "that being said")
        own_redis.start()
        own_redis.wait_ready()
        manager.wait_ready()
        with view_on(own_redis) as view:
            wait_for_view(view, broker)
        assert len(failures(manager)) == 1, "once, however often it tried again"


def test_a_broker_that_is_frozen_for_a_while_loses_no_alarm(kafka, broker, make_manager):
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(number, 6.0) for number in range(3))
        kafka.freeze()
        try:
            until(lambda: manager.probe("/readyz")[0] == 503, "it being noticed")
            assert manager.probe("/healthz")[0] == 200
        finally:
            kafka.thaw()
        broker.send_scores([score(3, 6.0)])
        assert broker.wait_alarms(1)[0].state == "UNACK"
        manager.wait_ready()


def test_told_to_stop_it_waits_for_no_broker_that_does_not_answer(kafka, make_manager):
    with make_manager() as manager:
        manager.wait_ready()
        kafka.freeze()
        try:
            promise = Promise(6.0)
            manager.signal(signal.SIGTERM)
            promise.until(manager.has_ended, lambda: "it to end")
            assert manager.wait() == 0
        finally:
            kafka.thaw()


def test_a_missing_topic_is_a_dependency_that_cannot_be_reached(make_manager):
    with make_manager(topic_prefix="nowhere") as manager:
        assert manager.wait() == 3
        assert manager.last_line().endswith("run meltwatch topics create")
