"""Asks Redis whether it would let us in now: address, TLS, login, an answer, our rights."""

import asyncio
from collections.abc import Callable

from meltwatch_chassis.dependencies import Probe
from meltwatch_chassis.errors import TransientError
from meltwatch_schemas.redis_keys import RedisKeys
from redis.asyncio import Redis
from redis.exceptions import RedisError

from meltwatch_alarm_manager.adapters import redis_scripts


def redis_probe(
    connect: Callable[[], Redis], prefix: str, explain: Callable[[Exception], Exception]
) -> Probe:
    """Return a probe that asks for all rights of the view's writer.

    Each time over a new connection: one that stands would not show that the next is refused.

    Parameters
    ----------
    connect
        Makes a client; it connects when first used.
    prefix
        First part of every key.
    explain
        Finds the cause of a client's error; it may ask the server and wait for it.
    """
    names = RedisKeys(prefix)
    keys = [names.meta, names.alarm("any"), names.active, names.unacked, names.journal]

    async def ask() -> None:
        try:
            async with connect() as client:
                await client.register_script(redis_scripts.RIGHTS)(keys, [names.changes])
        except (RedisError, OSError) as error:
            cause = await asyncio.to_thread(explain, error)
            raise TransientError(str(cause)) from error

    return ask
