"""Asks Redis whether it would let us in now: address, TLS, login, an answer."""

from collections.abc import Callable

from meltwatch_chassis.dependencies import Probe
from meltwatch_schemas.redis_keys import RedisKeys
from redis.asyncio import Redis

from meltwatch_alarm_manager.adapters.redis_view import redis_failures


def redis_probe(connect: Callable[[], Redis], prefix: str) -> Probe:
    """Return a probe that asks what the view asks, with the same rights.

    Each time over a new connection: one that stands would not show that the next is refused.

    Parameters
    ----------
    connect
        Makes a client; it connects when first used.
    prefix
        First part of every key.
    """
    key = RedisKeys(prefix).meta

    async def ask() -> None:
        with redis_failures():
            async with connect() as client:
                await client.exists(key)

    return ask
