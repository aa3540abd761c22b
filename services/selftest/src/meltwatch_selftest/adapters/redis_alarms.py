"""The alarms as Redis shows them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from meltwatch_chassis.redis_access import redis_login, redis_problem
from meltwatch_chassis.settings import RedisSettings
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.redis_keys import RedisKeys
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

_TIMEOUT_S: Final = 5.0


class RedisAlarms:
    """Reads alarms from Redis.

    Parameters
    ----------
    client
        A client that answers text.
    keys
        Key names under the topic prefix.
    """

    def __init__(self, client: Redis, keys: RedisKeys) -> None:
        self._client = client
        self._keys = keys

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        """Return the newest record of an alarm, or None if Redis has none that can be read."""
        try:
            value = self._client.hget(self._keys.alarm(alarm_id), "record")
            return None if value is None else AlarmRecord.model_validate_json(value, strict=True)
        except (ResponseError, ValidationError):
            return None  # any other content there is not the awaited alarm


@contextmanager
def open_redis_alarms(settings: RedisSettings) -> Iterator[RedisAlarms]:
    """Connect to Redis.

    Raises
    ------
    DependencyUnreachable
        If it does not answer.
    """
    try:
        with Redis.from_url(
            settings.redis,
            decode_responses=True,
            encoding_errors="backslashreplace",
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            **redis_login(settings),
        ) as client:
            keys = RedisKeys(settings.topic_prefix)
            client.hget(keys.meta, "offset")  # the right that is needed later is checked now
            yield RedisAlarms(client, keys)
    except (RedisError, OSError) as error:
        raise redis_problem(settings, error) from error
