"""The alarm topics of Kafka: read the truth, follow it, send a command and wait for its result."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_board import MANAGER
from meltwatch_schemas.alarm_command import COMMAND_SCHEMA, AlarmCommand, CommandResult
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for, read_json
from meltwatch_schemas.topics import Topic

from meltwatch_cli.domain.unreadable import Unreadable

_POLL_MS: Final = 200
_SEND_TIMEOUT_S: Final = 10.0
_REACHES: Final = (64, 20_000)
"""How far back a heartbeat is looked for: other services and strangers may write there too."""
_AnyMessage = TypeVar("_AnyMessage", bound=KeyedMessage)


@dataclass(frozen=True, slots=True)
class News:
    """What one look at the topics has found.

    Attributes
    ----------
    alarms
        New records of the alarms topic, replays left out.
    beats
        New heartbeats of the alarm manager.
    """

    alarms: list[AlarmRecord]
    beats: list[Heartbeat]


class AlarmTopics:
    """Reads and writes the alarm topics under a prefix.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Attributes
    ----------
    unreadable
        Records that were left out.
    """

    def __init__(self, connection: Mapping[str, Any], prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self.unreadable = Unreadable()

    def alarms(self, since_ms: int | None = None) -> Iterator[AlarmRecord]:
        """Yield the records of the alarms topic up to its present end, replays left out.

        Parameters
        ----------
        since_ms
            Wall-clock ms UTC to read from; None for all.
        """
        name = Topic.ALARMS.under(self._prefix)
        with SpanReader.of_topic(self._connection, name) as reader:
            for number in reader.partitions(name):
                start, stop = reader.first_offset(name, number), reader.end(name, number)
                if since_ms is not None:
                    found = reader.offset_of(name, number, since_ms)
                    start = stop if found is None else max(start, found)
                records = reader.read(name, number, start, stop)
                yield from _live(self._messages(records, AlarmRecord))

    def written_since(self, offset: int) -> int:
        """Return how many alarm records stand at or after an offset, counting to a hundred."""
        name = Topic.ALARMS.under(self._prefix)
        with SpanReader.of_topic(self._connection, name) as reader:
            stop = reader.end(name, 0)
            if offset >= stop:
                return 0
            records = self._messages(reader.read(name, 0, offset, stop), AlarmRecord)
            return sum(1 for _ in islice(_live(records), 100))

    def heartbeat(self) -> Heartbeat | None:
        """Return the newest heartbeat of the alarm manager, None if the topic has none."""
        name = Topic.HEARTBEATS.under(self._prefix)
        with SpanReader.of_topic(self._connection, name) as reader:
            begin, stop = reader.first_offset(name, 0), reader.end(name, 0)
            for reach in _REACHES:
                start = max(begin, stop - reach)
                beats = self._beats(reader.read(name, 0, start, stop))
                if beats or start == begin:
                    return beats[-1] if beats else None
        return None

    def follow(self, since_ms: int | None, is_over: Callable[[], bool]) -> Iterator[News]:
        """Yield new records a few times a second, also if there are none, until it is over.

        Parameters
        ----------
        since_ms
            Wall-clock ms UTC to read alarms from; None starts with what comes next.
        is_over
            Is asked before each look.
        """
        alarms = Topic.ALARMS.under(self._prefix)
        with self._following({Topic.ALARMS: since_ms, Topic.HEARTBEATS: None}) as follower:
            while not is_over():
                records = follower.poll(_POLL_MS)
                told = self._messages((r for r in records if r.topic == alarms), AlarmRecord)
                beats = self._beats(r for r in records if r.topic != alarms)
                yield News([*_live(told)], beats)

    def ask(self, command: AlarmCommand, timeout_s: float, clock: Clock) -> CommandResult | None:
        """Send a command and return its result, or None if none came in time."""
        with self._following({Topic.ALARM_RESULTS: None}) as follower:
            self._send(command)
            deadline_ns = clock.monotonic_ns() + int(timeout_s * 1e9)
            while clock.monotonic_ns() < deadline_ns:
                for result in self._messages(follower.poll(_POLL_MS), CommandResult):
                    if result.command_id == command.command_id:
                        return result
        return None

    def _beats(self, records: Iterable[RawRecord]) -> list[Heartbeat]:
        return [each for each in self._messages(records, Heartbeat) if each.service == MANAGER]

    def _messages(
        self, records: Iterable[RawRecord], kind: type[_AnyMessage]
    ) -> Iterator[_AnyMessage]:
        """Yield the messages of records; tombstones and other messages are left out."""
        for record in records:
            if record.value is None and record.key is not None:
                continue
            try:
                yield read_json(record, kind)
            except ContractViolation as error:
                self.unreadable.note(
                    f"{record.topic}/{record.partition}/{record.offset}", str(error)
                )

    def _send(self, command: AlarmCommand) -> None:
        record = OutgoingRecord(
            Topic.ALARM_COMMANDS.under(self._prefix),
            command.alarm_id.encode(),
            command.to_json(),
            tuple(headers_for(COMMAND_SCHEMA, JSON)),
        )
        with Writer.connected(self._connection) as writer:
            writer.write([record], _SEND_TIMEOUT_S)

    @contextmanager
    def _following(self, times_ms: Mapping[Topic, int | None]) -> Iterator[Follower]:
        """Give what comes to each topic from a time on, with None what comes next."""
        with Follower.connected(self._connection) as follower:
            follower.read_from(
                {
                    (name, number): time_ms
                    for topic, time_ms in times_ms.items()
                    for name in [topic.under(self._prefix)]
                    for number in follower.partitions(name)
                }
            )
            yield follower


@contextmanager
def open_alarm_topics(connection: Mapping[str, Any], prefix: str) -> Iterator[AlarmTopics]:
    """Give access to the alarm topics, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or a topic is missing.
    """
    with explained(connection, rights_of(Principal.OPERATOR, prefix)):
        yield AlarmTopics(connection, prefix)


def _live(records: Iterable[AlarmRecord]) -> Iterator[AlarmRecord]:
    return (record for record in records if record.run_id is None)
