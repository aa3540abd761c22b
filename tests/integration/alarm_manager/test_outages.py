"""A server that is away costs delay and no alarm."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from meltwatch_local_cluster.servers import RedisServer
from redis import Redis

from tests.integration.alarm_manager.bench import assert_view_equals
from tests.support.waiting import until
from tests.unit.core.alarms.samples import score

pytestmark = pytest.mark.integration


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def view_on(server: RedisServer) -> Any:
    return Redis.from_url(server.address, decode_responses=True)


def test_alarms_go_on_while_redis_is_away_and_show_when_it_is_back(broker, make_manager, own_redis):
    with make_manager(redis=own_redis.address) as manager:
        manager.wait_ready()
        own_redis.kill()
        until(lambda: manager.probe("/readyz")[0] == 503, "it being noticed")
        assert "Redis" in manager.probe("/readyz")[1]
        assert manager.probe("/healthz")[0] == 200
        broker.send_scores(score(number, 6.0) for number in range(4))
        alarms = broker.wait_alarms(1)
        assert len(manager.log_lines("attempt_failed")) == 1
        own_redis.start()
        own_redis.wait_ready()
        manager.wait_ready()
        with view_on(own_redis) as view:
            until(lambda: view.xlen(f"{broker.prefix}:journal") == 1, "the view")
            assert_view_equals(view, broker.prefix, alarms)


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
            told_s = time.monotonic()
            manager.signal(signal.SIGTERM)
            assert manager.wait() == 0
            assert time.monotonic() - told_s < 6.0
        finally:
            kafka.thaw()


def test_a_missing_topic_is_a_dependency_that_cannot_be_reached(make_manager):
    with make_manager(topic_prefix="nowhere") as manager:
        assert manager.wait() == 3
        assert manager.last_line().endswith("run meltwatch topics create")
