"""The topic of portraits: which stand there, and what is written to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.point_rules import who_and_why_headers
from meltwatch_schemas.portrait import SCHEMA
from meltwatch_schemas.record import MSGPACK, OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.topics import Topic

_SEND_TIMEOUT_S: Final = 20.0


class PortraitTopic:
    """Reads and writes portraits under a prefix.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    """

    def __init__(self, connection: Mapping[str, Any], prefix: str) -> None:
        self._connection = connection
        self._name = Topic.PORTRAITS.under(prefix)

    def records(self) -> Iterator[RawRecord]:
        """Yield what stands in the topic now, tombstones too, in their order."""
        with SpanReader.of_topic(self._connection, self._name) as reader:
            yield from reader.read_whole(self._name)

    def publish(self, furnace_id: str, value: bytes, who: str, why: str) -> None:
        """Write a portrait, and by whom and why; returns once it stands."""
        headers = (*headers_for(SCHEMA, MSGPACK), *who_and_why_headers(who, why))
        self._send(OutgoingRecord(self._name, furnace_id.encode(), value, headers))

    def retire(self, furnace_id: str, who: str, why: str) -> None:
        """Write a tombstone that says by whom and why; returns once it stands."""
        headers = tuple(who_and_why_headers(who, why))
        self._send(OutgoingRecord(self._name, furnace_id.encode(), None, headers))

    def _send(self, record: OutgoingRecord) -> None:
        with Writer.connected(self._connection) as writer:
            writer.write([record], _SEND_TIMEOUT_S)


@contextmanager
def open_portrait_topic(connection: Mapping[str, Any], prefix: str) -> Iterator[PortraitTopic]:
    """Give access to the topic of portraits, with the client's errors in one line.

    Raises
    ------
    ConfigurationError
        If a right is missing.
    DependencyUnreachable
        If the broker does not answer or the topic is missing.
    """
    with explained(connection, rights_of(Principal.ENGINEER, prefix)):
        yield PortraitTopic(connection, prefix)
