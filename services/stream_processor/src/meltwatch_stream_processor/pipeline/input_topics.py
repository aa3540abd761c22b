"""Which topics stand behind the names that we read, and whether the group reads all of them."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from meltwatch_chassis.errors import TransientError
from meltwatch_core.join.topics import TopicNames

from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import Census, Group, TopicPartition

_log = structlog.get_logger()
_NAMED: Final = 4
"""So many partitions are named in a line."""


class InputTopics:
    """Compares what we read with what the broker has.

    A topic that was deleted and made again has another id under the same name, and all that was
    said of its offsets is void; one that got more partitions has some that nobody reads.

    Parameters
    ----------
    names
        Of the topics.
    group
        Asked.
    retry
        Repeats a question that nothing can be done without.
    """

    def __init__(self, names: TopicNames, group: Group, retry: Retry) -> None:
        self._inputs = tuple(names.inputs.values())
        self._needed = (*self._inputs, names.scores)
        self._group = group
        self._retry = retry
        self._asking = asyncio.Lock()
        self._ids: dict[str, str | None] | None = None
        self._census: Census | None = None
        self._said: set[tuple[str, str | None]] = set()

    async def ids(self) -> Mapping[str, str | None]:
        """Return the ids of the input topics that the present assignment reads."""
        async with self._asking:
            if self._ids is None:
                census = await self._retry.until_done(self._group.census, "ids of the input topics")
                topics = census.topics
                self._ids = {name: topics[name].id for name in self._inputs if name in topics}
            return {name: self._ids.get(name) for name in self._inputs}

    def forget(self) -> None:
        """Take note that the assignment is over; what is assigned next may be other topics."""
        self._ids = None

    async def look(self) -> None:
        """Ask what the broker has now; nothing is known while it does not answer."""
        try:
            self._census = await self._group.census()
        except TransientError:
            self._census = None

    @property
    def problem(self) -> str | None:
        """One line while the topics are none that can be joined, as far as known; else None."""
        if self._census is None:
            return None
        topics = self._census.topics
        if missing := [name for name in self._needed if name not in topics]:
            return (
                f"expected the topics {', '.join(missing)}, they are missing; "
                "run 'meltwatch topics create'"
            )
        counts = {name: topics[name].partitions for name in self._needed}
        if len(set(counts.values())) == 1:
            return None
        told = ", ".join(f"{count} of {name}" for name, count in counts.items())
        return f"expected equal numbers of partitions, got {told}; run 'meltwatch topics check'"

    @property
    def unowned(self) -> list[TopicPartition] | None:
        """Input partitions that no member of the group has; None where that is not known."""
        if self._census is None or self._census.owned is None:
            return None
        topics, owned = self._census.topics, self._census.owned
        there = [
            TopicPartition(name, number)
            for name in self._inputs
            if name in topics
            for number in range(topics[name].partitions)
        ]
        return sorted(part for part in there if part not in owned)

    @property
    def replaced(self) -> list[str]:
        """Input topics that are no longer those that the present assignment reads."""
        if self._census is None or self._ids is None:
            return []
        topics = self._census.topics
        return [
            name
            for name in self._inputs
            if name in topics and topics[name].id is not None
            if topics[name].id != self._ids.get(name)
        ]

    def must_rejoin(self) -> str | None:
        """Return why the partitions must be shared out anew, in one line, or None."""
        if replaced := self.replaced:
            return f"{', '.join(replaced)} was deleted and made again"
        if unowned := self.unowned:
            return f"nobody reads {listed(unowned)}"
        return None

    def is_news(self, topic: str, topic_id: str | None) -> bool:
        """Tell, once, that a topic was found to be another one than before."""
        if (topic, topic_id) in self._said:
            return False
        self._said.add((topic, topic_id))
        return True


def listed(parts: list[TopicPartition]) -> str:
    """Return partitions in a line, the first few by name."""
    named = ", ".join(f"{part.topic}/{part.partition}" for part in parts[:_NAMED])
    more = len(parts) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
