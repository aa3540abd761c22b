"""What users of Redis do with their rights, and whether a refusal names what is missing."""

from collections.abc import Mapping
from typing import Any

from meltwatch_alarm_manager.adapters.redis_view import RedisView
from meltwatch_alarm_manager.ports import AlarmChange
from meltwatch_chassis.redis_access import redis_login, redis_problem
from meltwatch_chassis.settings import RedisSettings, load
from meltwatch_chassis.testing import ManualClock
from redis import Redis as PlainRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.integration.alarm_manager.test_redis_view import alarm_changes, furnace_changes
from tests.integration.secured.bench import PREFIX, Plant

READS = {"+@read": "+zrange"}
"""Of a class of commands, the one that is refused first."""


def redis_settings(environment: Mapping[str, str]) -> RedisSettings:
    return load(RedisSettings, environment)


async def write_the_view(settings: RedisSettings) -> None:
    """Do to a view of another topic whatever the projector does."""
    client = Redis.from_url(settings.redis, **redis_login(settings))
    explain = lambda error: redis_problem(settings, error)  # noqa: E731
    async with RedisView(client, PREFIX, ManualClock(1), explain) as view:
        await view.open(1_000)
        removal = AlarmChange("a/F1/OVERHEAT", None, b"", 900)
        await view.apply([*alarm_changes("a/F1"), *furnace_changes(1), removal])
        await view.is_present()
        await view.open(1)


async def raise_and_clear(settings: RedisSettings) -> None:
    client = Redis.from_url(settings.redis, **redis_login(settings))
    explain = lambda error: redis_problem(settings, error)  # noqa: E731
    async with RedisView(client, PREFIX, ManualClock(1), explain) as view:
        await view.apply(alarm_changes("a/F1"))


def all_of(admin: Any) -> dict[bytes, bytes]:
    return {name: admin.dump(name) for name in admin.scan_iter()}


def look_as_scada(settings: RedisSettings) -> str:
    """Do what an adapter does that looks on; return the refusal, nothing without one."""
    with (
        PlainRedis.from_url(settings.redis, **redis_login(settings)) as client,
        client.pubsub() as heard,
    ):
        try:
            client.ping()
            client.zrange(f"{PREFIX}:active", 0, -1)
            client.xrange(f"{PREFIX}:journal", count=1)
            heard.subscribe(f"{PREFIX}:changes")
            heard.get_message(timeout=60)
        except RedisError as error:
            return str(redis_problem(settings, error))
    return ""


def is_named(rule: str, said: str) -> bool:
    if rule.startswith("+"):
        return rule.removeprefix("+") in said.lower()
    if rule.startswith("&"):  # Redis itself does not say which
        return rule.removeprefix("&") in said or "access a channel" in said
    return "key" in said


def fresh_redis(plant: Plant) -> Any:
    client = PlainRedis.from_url(plant.redis.address)
    client.flushall()
    return client
