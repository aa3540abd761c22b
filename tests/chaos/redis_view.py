"""Redis is killed or flushed while alarms come and go: the topic never notices, the view heals."""

import random
from typing import Final

from meltwatch_local_cluster.servers import RedisServer
from redis import Redis

from tests.chaos.report import Report
from tests.chaos.stage import Stage

NAME: Final = "redis"


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Break the view again and again."""
    rng = random.Random(seed)
    with stage.site() as site:
        site.send_load(seed)
        site.worker()
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 60))
            _break(stage.redis, number)
            site.fault("Redis flushed" if number % 2 else "Redis killed")
        site.wait_more()
        return site.finish(NAME, rounds)


def _break(redis: RedisServer, number: int) -> None:
    if number % 2:
        with Redis.from_url(redis.address) as client:
            client.flushall()
    else:
        redis.kill()
        redis.start()
        redis.wait_ready()
