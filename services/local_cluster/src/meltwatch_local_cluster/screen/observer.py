"""Observes a run from outside: its topics and the stream processor's counters, nothing else."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.access import explained, refusal
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_board import MANAGER
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord, header, read_score
from meltwatch_schemas.topics import Topic
from pydantic import ValidationError

from meltwatch_local_cluster.domain.counts import RestartingCounters
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.screen.follow_metrics import Readings

_FOLLOWED: Final = (
    Topic.SCORES,
    Topic.ALARMS,
    Topic.HEARTBEATS,
    Topic.LATE,
    Topic.DEAD_LETTERS,
)
# Scores carry event time: those of the back-fill lie before the origin.
_BEFORE_ORIGIN_MS: Final = 150_000
_REASONS: Final = frozenset(Refusal)
_BOOTSTRAP: Final = {"bootstrap_timeout_ms": 1_000}
_COUNTERS_EVERY_NS: Final = 1_000_000_000
_CATCH_UP_NS: Final = 10_000_000_000

ReadCounters = Callable[[], Readings | None]


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


class Observer:
    """Keeps an ``ObservedRun`` up to date; one thread at a time.

    Parameters
    ----------
    follower
        Reads the topics.
    run
        What is kept up to date.
    read_counters
        Gives the stream processor's counters now, None when it does not answer.
    clock
        For pauses and bounds.

    Attributes
    ----------
    counters
        Totals over the stream processor's restarts.
    unreadable
        Records that break the contract of their topic.
    """

    def __init__(
        self, follower: TopicFollower, run: ObservedRun, read_counters: ReadCounters, clock: Clock
    ) -> None:
        self.run = run
        self.counters: RestartingCounters[str] = RestartingCounters()
        self._irregularities: RestartingCounters[tuple[str, str]] = RestartingCounters()
        self.unreadable = 0
        self._follower = follower
        self._read_counters = read_counters
        self._clock = clock
        self._counters_due_ns = 0

    @property
    def problem(self) -> str | None:
        """One line that says why the data is out of date, None when all is well."""
        return self._follower.problem

    def look(self, timeout_ms: int) -> list[AlarmRecord]:
        """Take in what has come, and return the alarms that changed, in order."""
        changed = [
            alarm
            for record in self._follower.poll(timeout_ms)
            if (alarm := self._fold(record)) is not None
        ]
        if self._clock.monotonic_ns() >= self._counters_due_ns:
            self._counters_due_ns = self._clock.monotonic_ns() + _COUNTERS_EVERY_NS
            self._count()
        return changed

    def irregularities(self) -> dict[str, Counter[str]]:
        """Return the irregularities by furnace and kind, over all restarts."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (furnace_id, kind), count in self._irregularities.totals().items():
            found[furnace_id][kind] = count
        return dict(found)

    def catch_up(self) -> None:
        """Read all that the topics hold at present, within ten seconds."""
        end_ns = self._clock.monotonic_ns() + _CATCH_UP_NS
        while self._clock.monotonic_ns() < end_ns:
            self.look(timeout_ms=200)
            if self._follower.lag() == 0:
                return

    def close(self) -> None:
        """Let go of the broker."""
        self._follower.close()

    def _count(self) -> None:
        readings = self._read_counters()
        if readings is not None:
            self.counters.read(readings.counters)
            self._irregularities.read(readings.irregularities)

    def _fold(self, record: RawRecord) -> AlarmRecord | None:
        try:
            return fold(self.run, record)
        except (ContractViolation, ValidationError):
            self.unreadable += 1
            return None


def observer_of(
    connection: Mapping[str, Any],
    prefix: str,
    run: ObservedRun,
    read_counters: ReadCounters,
    clock: Clock,
) -> Observer:
    """Make an observer that reads from a broker.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    run
        What is kept up to date.
    read_counters
        See ``Observer``.
    clock
        See ``Observer``.
    """
    topics = [topic.under(prefix) for topic in _FOLLOWED]
    since_ms = run.origin_ns // 1_000_000 - _BEFORE_ORIGIN_MS
    return Observer(TopicFollower(connection, topics, since_ms), run, read_counters, clock)


def fold(run: ObservedRun, record: RawRecord) -> AlarmRecord | None:
    """Note a record of one of the topics; return it if it is an alarm that changed.

    Raises
    ------
    ContractViolation, pydantic.ValidationError
        If it is not what its topic promises.
    """
    kind = record.topic.removesuffix(".v1").rpartition(".")[2]
    if kind == Topic.ALARMS and record.value is None:
        return None
    if kind == Topic.SCORES:
        run.add_score(read_score(record))
    elif kind == Topic.ALARMS:
        alarm = AlarmRecord.from_json(record.value or b"")
        return alarm if run.add_alarm(alarm) else None
    elif kind == Topic.HEARTBEATS:
        beat = Heartbeat.from_json(record.value or b"")
        if beat.service == MANAGER:
            run.add_heartbeat(beat)
    elif record.timestamp_ms * 1_000_000 >= run.origin_ns:
        _fold_refused(run, kind, record)
    return None


def _fold_refused(run: ObservedRun, kind: str, record: RawRecord) -> None:
    if kind == Topic.LATE:
        run.late += 1
    else:
        reason = header(record.headers, "dlq.error")
        run.dead_letters[reason if reason in _REASONS else "unknown"] += 1
