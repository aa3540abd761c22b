"""Follows some topics of a broker from a point in time, and says when it does not answer."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.access import explained, refusal
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_schemas.record import RawRecord

_BOOTSTRAP: Final = {"bootstrap_timeout_ms": 1_000}


class TopicFollower:
    """Reads every partition of some topics, and goes on where it was after an outage; one thread.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    topics
        Full names of topics that exist.
    since_ms
        Record timestamp to begin at, ms UTC.

    Attributes
    ----------
    problem
        One line that says why nothing can be read, None when all is well.
    """

    def __init__(self, connection: Mapping[str, Any], topics: Sequence[str], since_ms: int) -> None:
        self._connection = connection
        self._topics = topics
        self._since_ms = since_ms
        self._client = ExitStack()
        self._follower: Follower | None = None
        self._positions: dict[tuple[str, int], int] = {}
        self.problem: str | None = None

    def poll(self, timeout_ms: int) -> list[RawRecord]:
        """Return what has come, waiting for it at most so long; nothing while Kafka is away."""
        try:
            with explained(self._connection, ()):
                records = self._connected().poll(timeout_ms)
        except (FatalError, OSError) as error:
            self._give_up(error)
            return []
        self.problem = None
        for record in records:
            self._positions[record.topic, record.partition] = record.offset + 1
        return records

    def lag(self) -> int:
        """Return how many offsets, markers included, lie ahead; 0 while Kafka is away."""
        try:
            with explained(self._connection, ()):
                return self._connected().lag()
        except (FatalError, OSError) as error:
            self._give_up(error)
            return 0

    def close(self) -> None:
        """Let go of the broker; the next poll connects again and goes on where this one stopped."""
        self._follower = None
        self._client.close()

    def _give_up(self, error: Exception) -> None:
        self.problem = str(error)
        self.close()

    def _connected(self) -> Follower:
        if self._follower is None:
            # kafka-python leaves a thread and a socket behind for each client without a broker.
            if (reason := refusal(self._connection)) is not None:
                raise reason
            opening = Follower.connected({**self._connection, **_BOOTSTRAP})
            follower = self._client.enter_context(opening)
            self._begin(follower)
            self._follower = follower
        return self._follower

    def _begin(self, follower: Follower) -> None:
        parts = [(topic, n) for topic in self._topics for n in follower.partitions(topic)]
        new = [part for part in parts if part not in self._positions]
        self._positions |= follower.read_from(dict.fromkeys(new, self._since_ms))
        follower.go_on({part: self._positions[part] for part in parts})
