"""Whether topics are still those that reading began with: one that was made again has another id.

Offsets mean nothing in a topic that was deleted and made again. A consumer does not say so: it goes
on somewhere, and whoever counts by offsets or epochs takes what is new for old.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import structlog

from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.admin import topic_ids
from meltwatch_chassis.tasks import cancel

_LOOK_S: Final = 3.0
_log = structlog.get_logger()


class TopicsChanged(TransientError):  # noqa: N818 - the name says what is the matter
    """Topics that are read were deleted, or made again: reading must begin anew."""


class TopicWatch:
    """Looks at topics while they are read.

    A broker without ids tells nothing. While none answers, the last answer counts.

    Parameters
    ----------
    ids
        What each topic was called at the beginning.

    Attributes
    ----------
    ids
        The same.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        self.ids = ids
        self._missing: frozenset[str] = frozenset()
        self._change: str | None = None

    def require_same(self) -> None:
        """Do nothing while the topics are those of the beginning.

        Raises
        ------
        TopicsChanged
            If one was deleted, or made again.
        """
        if self._change is not None:
            raise TopicsChanged(f"Kafka: expected the topics that are read, {self._change}")

    def take(self, now: Mapping[str, str]) -> None:
        """Take what the topics are called now."""
        missing = self.ids.keys() - now.keys()
        if replaced := replaced_topics(self.ids, now):
            self._change = f"{', '.join(replaced)} was deleted and made again"
        elif gone := sorted(missing & self._missing):
            self._change = f"{', '.join(gone)} was deleted"
        self._missing = frozenset(missing)  # once is too little: a broker may have just started

    async def _keep_looking(self, connection: Mapping[str, Any]) -> None:
        while self._change is None:
            await asyncio.sleep(_LOOK_S)
            try:
                self.take(await _ask(connection, self.ids))
            except TransientError as error:
                _log.debug("topics_not_looked_at", error=str(error))
        _log.warning("topic_changed", detail=self._change)

    @classmethod
    @asynccontextmanager
    async def begun(
        cls, connection: Mapping[str, Any], topics: Collection[str]
    ) -> AsyncIterator[Self]:
        """Look at topics for as long as the block lasts; begin before any offset is asked for.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        watch = cls(await _ask(connection, topics))
        looking = asyncio.create_task(watch._keep_looking(connection))
        try:
            yield watch
        finally:
            await cancel([looking])


def replaced_topics(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the topics whose id has become another one."""
    return sorted(name for name in before.keys() & now.keys() if before[name] != now[name])


async def _ask(connection: Mapping[str, Any], topics: Collection[str]) -> dict[str, str]:
    """Ask over a new connection, in a thread; whatever the broker answers, it is one failure."""
    try:
        return await asyncio.to_thread(topic_ids, connection, sorted(topics))
    except FatalError as error:
        raise TransientError(str(error)) from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise TransientError(f"Kafka, asking for the ids of topics: {said}") from error
