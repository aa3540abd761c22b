"""The alarms as Redis shows them: a view that the alarm manager rebuilds from the topic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.settings import RedisSettings
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.redis_keys import RedisKeys
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from meltwatch_cli.domain.wording import without_password
from meltwatch_cli.errors import BrokenView

_TIMEOUT_S: Final = 5.0
_SCAN_COUNT: Final = 1000


class RedisView:
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

    def alarms(self) -> Iterator[AlarmRecord]:
        """Yield the newest record of each alarm, in no order.

        Raises
        ------
        DependencyUnreachable
            If the view has not been built.
        BrokenView
            If a key holds no alarm record.
        """
        if not self._client.exists(self._keys.meta):
            raise DependencyUnreachable(
                f"Redis: expected the alarm manager's view under {self._keys.meta!r}, found none; "
                "wait for the alarm manager, or read the topic with --from-kafka"
            )
        seen = set(self._client.scan_iter(self._keys.alarm("*"), count=_SCAN_COUNT))
        for key in seen:
            value = self._client.hget(key, "record")
            if value is not None:
                yield _record(key, value)

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        """Return the newest record of an alarm, or None if Redis has none.

        Raises
        ------
        BrokenView
            If the key holds no alarm record.
        """
        key = self._keys.alarm(alarm_id)
        value = self._client.hget(key, "record")
        return None if value is None else _record(key, value)


@contextmanager
def open_redis_view(settings: RedisSettings) -> Iterator[RedisView]:
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
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            **settings.redis_login,
        ) as client:
            yield RedisView(client, RedisKeys(settings.topic_prefix))
    except (RedisError, ValueError) as error:
        raise DependencyUnreachable(
            f"Redis: expected an answer from {without_password(settings.redis)}, got: {error}"
        ) from error


def _record(key: str, value: bytes | str) -> AlarmRecord:
    try:
        return AlarmRecord.model_validate_json(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BrokenView(
            f"Redis: expected an alarm record under {key!r}, got one with {where}: {first['msg']}"
        ) from error
