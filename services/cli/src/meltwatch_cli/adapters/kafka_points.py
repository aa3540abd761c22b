"""The topic of alarm points: what is in force there, and what is written to it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.alarm_point import POINT_SCHEMA, AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.point_rules import check_point, who_and_why_headers
from meltwatch_schemas.record import JSON, OutgoingRecord, RawRecord, headers_for, read_json
from meltwatch_schemas.topics import Topic

from meltwatch_cli.domain.unreadable import Unreadable

_SEND_TIMEOUT_S: Final = 20.0


class PointTopic:
    """Reads and writes alarm points under a prefix.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Attributes
    ----------
    unreadable
        Records that the alarm manager does not take either.
    """

    def __init__(self, connection: Mapping[str, Any], prefix: str) -> None:
        self._connection = connection
        self._name = Topic.ALARM_POINTS.under(prefix)
        self.unreadable = Unreadable()

    def in_force(self) -> dict[str, AlarmPoint]:
        """Return the alarm points of the topic, as the alarm manager takes them, by alarm id."""
        points: dict[str, AlarmPoint] = {}
        with SpanReader.of_topic(self._connection, self._name) as reader:
            for record in reader.read_whole(self._name):
                self._take(record, points)
        return points

    def _take(self, record: RawRecord, points: dict[str, AlarmPoint]) -> None:
        if record.value is None:
            points.pop((record.key or b"").decode(errors="replace"), None)
            return
        try:
            point = check_point(read_json(record, AlarmPoint))
        except ContractViolation as error:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            self.unreadable.note(place, str(error))
            return
        points[point.alarm_id] = point

    def write(self, points: Iterable[AlarmPoint]) -> None:
        """Write alarm points; returns once all of them stand."""
        headers = tuple(headers_for(POINT_SCHEMA, JSON))
        self._send(
            OutgoingRecord(self._name, point.alarm_id.encode(), point.to_json(), headers)
            for point in points
        )

    def take_back(self, alarm_ids: Iterable[str], who: str, why: str) -> None:
        """Write tombstones that say by whom and why; returns once all of them stand."""
        headers = tuple(who_and_why_headers(who, why))
        self._send(
            OutgoingRecord(self._name, alarm_id.encode(), None, headers) for alarm_id in alarm_ids
        )

    def _send(self, records: Iterable[OutgoingRecord]) -> None:
        with Writer.connected(self._connection) as writer:
            writer.write([*records], _SEND_TIMEOUT_S)


@contextmanager
def open_point_topic(connection: Mapping[str, Any], prefix: str) -> Iterator[PointTopic]:
    """Give access to the topic of alarm points, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or the topic is missing.
    """
    with explained(connection, rights_of(Principal.ENGINEER, prefix)):
        yield PointTopic(connection, prefix)
