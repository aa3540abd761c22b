"""The alarms as Redis shows them: a view that the alarm manager rebuilds from the topic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.redis_access import redis_login, redis_problem
from meltwatch_chassis.settings import RedisSettings
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.redis_keys import RedisKeys
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from meltwatch_cli.domain.unreadable import Unreadable

_TIMEOUT_S: Final = 5.0
_SCAN_COUNT: Final = 1000


class RedisAlarmReader:
    """Reads alarms from Redis.

    Parameters
    ----------
    client
        A client that answers text.
    keys
        Key names under the topic prefix.

    Attributes
    ----------
    unreadable
        Entries that were left out.
    """

    def __init__(self, client: Redis, keys: RedisKeys) -> None:
        self._client = client
        self._keys = keys
        self.unreadable = Unreadable()

    def alarms(self) -> list[AlarmRecord]:
        """Return the newest record of each alarm, in no order.

        Raises
        ------
        DependencyUnreachable
            If the view has not been built.
        """
        if not self._client.exists(self._keys.meta):
            raise DependencyUnreachable(
                f"Redis: expected the alarm manager's view under {self._keys.meta!r}, found none; "
                "wait for the alarm manager, or read the topic with --from-kafka"
            )
        seen = set(self._client.scan_iter(self._keys.alarm("*"), count=_SCAN_COUNT))
        found = (self._record(key) for key in sorted(seen))
        return [record for record in found if record is not None]

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        """Return the newest record of an alarm, or None if Redis has none that can be read."""
        return self._record(self._keys.alarm(alarm_id))

    def offset(self) -> int | None:
        """Return the offset of the alarms topic that the view has reached, None if unknown."""
        try:
            text = self._client.hget(self._keys.meta, "offset")
            return None if text is None else int(text)
        except NoPermissionError:
            raise
        except (ResponseError, ValueError) as error:
            self.unreadable.note(self._keys.meta, str(error))
            return None

    def _record(self, key: str) -> AlarmRecord | None:
        """Return what a key holds; whatever else it holds is counted and left out."""
        try:
            value = self._client.hget(key, "record")
            if value is None:
                return None
            record = AlarmRecord.model_validate_json(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            self.unreadable.note(
                key, f"expected an alarm record, got one with {where}: {first['msg']}"
            )
        except NoPermissionError:
            raise
        except ResponseError as error:
            self.unreadable.note(key, f"expected a hash, got {error}")
        else:
            if key == self._keys.alarm(record.alarm_id):
                return record
            self.unreadable.note(key, f"expected its own record, got that of {record.alarm_id}")
        return None


@contextmanager
def open_redis_view(settings: RedisSettings) -> Iterator[RedisAlarmReader]:
    """Connect to Redis.

    Raises
    ------
    ConfigurationError
        If the login, TLS or a right is wrong.
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
            yield RedisAlarmReader(client, RedisKeys(settings.topic_prefix))
    except (RedisError, OSError) as error:
        raise redis_problem(settings, error) from error
