"""The read model in Redis."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from types import TracebackType
from typing import Any, Final, Self

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import ConfigurationError, FatalError, TransientError
from meltwatch_core.alarms.trust import MAX_AHEAD_NS
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Mode
from meltwatch_schemas.instants import ns_from_utc, rfc3339, utc_from_ns
from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_MS
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from meltwatch_alarm_manager.adapters import redis_scripts
from meltwatch_alarm_manager.ports import AlarmChange, FurnaceChange

JOURNAL_LENGTH: Final = 100_000
_GONE: Final = -1
_ANSWERS: Final = frozenset({_GONE, 0, 1})
_ODD: Final = -1
_OFFSET: Final = re.compile(rb"[0-9]{1,18}")
_SCAN_COUNT: Final = 500
_FURNACES_AT_ONCE: Final = 100
"""A script holds the server up: a hundred furnaces take it about a millisecond."""
_UNACKED: Final = frozenset({AlarmState.UNACK, AlarmState.RTNUN, AlarmState.LATUN})


def _as_said(error: Exception) -> Exception:
    return TransientError(f"Redis: {_shown(error)}")


class RedisView:
    """Writes the view: one Lua script for each alarm record, and one for some furnaces at once.

    Parameters
    ----------
    client
        One primary, no Redis Cluster; owned and closed by the view.
    prefix
        First part of every key.
    clock
        For ``updated_at_ns``.
    explain
        Finds the cause of a client's error; it may ask the server and wait for it.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        clock: Clock,
        explain: Callable[[Exception], Exception] = _as_said,
    ) -> None:
        self._client = client
        self._explain = explain
        self._keys = RedisKeys(prefix)
        self._clock = clock
        self._alarm_script = client.register_script(redis_scripts.ALARM)
        self._removal_script = client.register_script(redis_scripts.REMOVAL)
        self._furnaces_script = client.register_script(redis_scripts.FURNACES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def open(self, end: int) -> int:
        """Make the view present; return the offset of the alarms topic that it has reached.

        Parameters
        ----------
        end
            Present end of the alarms topic. A view that is further than that belongs to a topic
            that is no more, and is made anew.

        Raises
        ------
        TransientError
            If Redis does not answer.
        ConfigurationError
            If it is a Redis Cluster: a script touches several keys.
        """
        async with self._failures():
            await self._refuse_cluster()
            reached = await self._reached()
            if not 0 <= reached <= end:
                await self._clear()
                reached = 0
            if reached == 0:
                # The scripts take a missing ``meta`` for a view that was flushed away.
                await self._client.hset(self._keys.meta, "offset", 0)
        return reached

    async def _reached(self) -> int:
        """Return the offset that stands in Redis; 0 without one, -1 for what is none."""
        try:
            found = await self._client.hget(self._keys.meta, "offset")
        except ResponseError as error:
            if not _is_of_wrong_type(error):
                raise
            return _ODD
        if found is None:
            return 0
        return int(found) if isinstance(found, bytes) and _OFFSET.fullmatch(found) else _ODD

    async def _refuse_cluster(self) -> None:
        if await self._mode() == "cluster":
            raise ConfigurationError(
                "MELTWATCH_REDIS: expected one primary, got a Redis Cluster, whose scripts "
                "cannot change several keys"
            )

    async def _mode(self) -> str:
        """Return what kind of server it is; HELLO says so to everybody, INFO takes a right."""
        client: Any = self._client  # its commands by name have no types
        answer = await client.execute_command("HELLO")
        if not isinstance(answer, dict | list):
            raise TransientError(f"Redis: expected who it is, got {_shown(answer)}")
        pairs = (
            answer.items()
            if isinstance(answer, dict)
            else zip(answer[::2], answer[1::2], strict=False)
        )
        return next((_word(value) for name, value in pairs if _word(name) == "mode"), "unknown")

    async def _clear(self) -> None:
        """Remove every key of the view, the progress last, so that a half-cleared view is found."""
        keys = self._keys
        async for name in self._names():
            await self._client.delete(name)
        await self._client.delete(keys.active, keys.unacked, keys.shelved, keys.journal)
        await self._client.delete(keys.furnaces, keys.meta)

    async def _names(self) -> AsyncIterator[str]:
        for pattern in (self._keys.alarm("*"), self._keys.furnace("*")):
            async for name in self._client.scan_iter(match=pattern, count=_SCAN_COUNT):
                yield name

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Turn what the client raises into a ``TransientError``.

        An answer that the client itself stumbles over is a failure like any other.
        """
        try:
            yield
        except (TransientError, FatalError):
            raise
        except Exception as error:
            # Finding the cause asks the server and waits for it: never in the event loop.
            cause = await asyncio.to_thread(self._explain, error)
            raise TransientError(str(cause)) from error

    async def is_present(self) -> bool:
        """Tell whether the view is still there, or was flushed away."""
        async with self._failures():
            return bool(await self._client.exists(self._keys.meta))

    async def apply(self, changes: Sequence[AlarmChange | FurnaceChange]) -> bool:
        """Apply changes in order, each whole or not at all; False if the view has vanished.

        What the view knows already, or knows newer, changes nothing.
        """
        # Each script is atomic by itself, so the pipeline needs no transaction.
        async with self._failures(), self._client.pipeline(transaction=False) as pipeline:
            furnaces = [change for change in changes if isinstance(change, FurnaceChange)]
            for change in changes:
                if isinstance(change, AlarmChange):
                    await self._queue_change(change, pipeline)
            for first in range(0, len(furnaces), _FURNACES_AT_ONCE):
                await self._queue_furnaces(furnaces[first : first + _FURNACES_AT_ONCE], pipeline)
            expected = len(pipeline)
            try:
                answers = await pipeline.execute()
            except ResponseError as error:
                if not _is_of_wrong_type(error):
                    raise
                # Somebody put another type under a key of ours: only a new view helps.
                await self._clear()
                return False
            return _is_done(answers, expected)

    async def _queue_change(self, change: AlarmChange, pipeline: Any) -> None:
        if change.record is None:
            await self._queue_removal(change, pipeline)
        else:
            await self._queue_alarm(change, change.record, pipeline)

    async def _queue_alarm(self, change: AlarmChange, record: AlarmRecord, pipeline: Any) -> None:
        keys = self._keys
        lists = [keys.active, keys.unacked, keys.shelved]
        await self._alarm_script(
            keys=[keys.meta, keys.alarm(change.alarm_id), *lists, keys.journal],
            args=[
                change.alarm_id,
                record.epoch,
                record.seq,
                change.value,
                record.state.value,
                record.priority.value,
                *_list_places(record),
                change.offset + 1,
                self._clock.now_ns(),
                keys.changes,
                JOURNAL_LENGTH,
            ],
            client=pipeline,
        )

    async def _queue_removal(self, change: AlarmChange, pipeline: Any) -> None:
        keys = self._keys
        lists = [keys.active, keys.unacked, keys.shelved]
        await self._removal_script(
            keys=[keys.meta, keys.alarm(change.alarm_id), *lists],
            args=[change.alarm_id, change.offset + 1, self._clock.now_ns(), keys.changes],
            client=pipeline,
        )

    async def _queue_furnaces(self, changes: Sequence[FurnaceChange], pipeline: Any) -> None:
        keys, latest = self._keys, rfc3339(utc_from_ns(self._clock.now_ns() + MAX_AHEAD_NS))
        names = [keys.furnace(change.score.furnace_id) for change in changes]
        fields = (_furnace_fields(change.score, change.unregistered) for change in changes)
        await self._furnaces_script(
            keys=[keys.meta, keys.furnaces, *names],
            args=[latest, *chain.from_iterable(fields)],
            client=pipeline,
        )


def _list_places(record: AlarmRecord) -> tuple[str, str, str]:
    """Return an alarm's scores in active and shelved, and whether it is in unacked; empty: out."""
    is_shown = record.mode is not Mode.SHADOW
    raised = record.raise_time if record.active and is_shown else None
    needs_ack = "1" if record.state in _UNACKED and is_shown else "0"
    shelved_until = record.shelve.until if record.shelve else None
    return (
        "" if raised is None else str(ns_from_utc(raised) // NS_PER_MS),
        needs_ack,
        "" if shelved_until is None else str(ns_from_utc(shelved_until) // NS_PER_MS),
    )


def _furnace_fields(score: WindowScore, unregistered: bool) -> list[str]:
    """Return a furnace's id, then field, value, field, value…: the form of the script."""
    fields = {
        "window_end": rfc3339(utc_from_ns(score.window_end_ns)),
        "probability": _text(score.probability),
        "logit": _text(score.logit),
        "status": score.status.value,
        "video_coverage": _text(score.video_coverage),
        "current_coverage": _text(score.current_coverage),
        "last_event": rfc3339(utc_from_ns(score.times.last_event_ns)),
        "model": f"{score.model.name}/{score.model.version}",
        "unregistered": "true" if unregistered else "false",
    }
    return [score.furnace_id, *chain.from_iterable(fields.items())]


def _text(number: float | None) -> str:
    return "" if number is None else repr(float(number))


def _is_done(answers: object, expected: int) -> bool:
    """Tell whether every script found the view; raise if that is not what was answered."""
    if (
        not isinstance(answers, list)
        or len(answers) != expected
        or not _ANSWERS.issuperset(answers)
    ):
        raise TransientError(f"Redis: expected {expected} times -1, 0 or 1, got {_shown(answers)}")
    return _GONE not in answers


def _is_of_wrong_type(error: ResponseError) -> bool:
    """Tell whether somebody has put something else under a key of the view."""
    return "WRONGTYPE" in str(error)


def _shown(value: object) -> str:
    return escaped(repr(value))[:200]


def _word(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
