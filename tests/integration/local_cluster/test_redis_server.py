import pytest
from meltwatch_local_cluster.servers import RedisServer
from redis import Redis

from tests.support.waiting import until

pytestmark = pytest.mark.integration


def test_redis_keeps_address_and_data_over_a_stop_and_over_a_power_cut(tmp_path):
    with RedisServer(tmp_path / "redis") as own:
        address = own.address
        with Redis.from_url(address) as client:
            client.set("alarm", "UNACK")
        for end in (own.stop, own.kill):
            end()
            assert not own.is_running()
            own.start()
            own.wait_ready()
            assert own.address == address
            with Redis.from_url(address) as client:
                assert client.get("alarm") == b"UNACK"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_redis_empty(redis_server, turn):
    with Redis.from_url(redis_server.address) as client:
        assert client.dbsize() == 0
        client.set("left", turn)


def test_a_frozen_redis_does_not_answer_until_it_is_thawed(tmp_path):
    with RedisServer(tmp_path / "redis") as own:
        own.freeze()
        until(lambda: not own.answers(), "the frozen server is silent")
        own.thaw()
        own.wait_ready()
