"""The system's topics, as one furnace and one alarm appear in them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

_POLL_MS: Final = 200
_DELIVERY_S: Final = 30.0
_START_MS: Final = 5_000


class KafkaTopics:
    """Sends records and reads what concerns some keys.

    Parameters
    ----------
    writer, follower
        Kafka's two sides; the follower stands where reading begins.
    prefix
        First part of the topics' names.
    keys
        Records of other keys are left out.
    """

    def __init__(
        self, writer: Writer, follower: Follower, prefix: str, keys: Iterable[str]
    ) -> None:
        self._writer = writer
        self._follower = follower
        self._prefix = prefix
        self._keys = {key.encode() for key in keys}

    def send(self, records: Iterable[OutgoingRecord]) -> None:
        """Send records and wait until they are delivered."""
        self._writer.write((record.under(self._prefix) for record in records), _DELIVERY_S)

    def collect(self) -> Iterator[RawRecord]:
        """Yield what has come under the keys; waits a moment for it."""
        yield from (record for record in self._follower.poll(_POLL_MS) if record.key in self._keys)


@contextmanager
def open_topics(
    connection: Mapping[str, Any], prefix: str, furnace_id: str, alarm_id: str
) -> Iterator[KafkaTopics]:
    """Give access to the topics; what is written from now on is read.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topics' names.
    furnace_id, alarm_id
        Whose records are read.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or a topic is missing.
    """
    patient = {**connection, "bootstrap_timeout_ms": _START_MS}
    with (
        explained(connection, rights_of(Principal.SELFTEST, prefix)),
        Follower.connected(patient) as follower,
        Writer.connected(patient, acks="all", linger_ms=5) as writer,
    ):
        keys = {
            Topic.SCORES: furnace_id,
            Topic.ALARMS: alarm_id,
            Topic.ALARM_RESULTS: alarm_id,
        }
        parts = [_partition(follower, topic.under(prefix), key) for topic, key in keys.items()]
        follower.read_from(dict.fromkeys(parts))
        yield KafkaTopics(writer, follower, prefix, keys.values())


def _partition(follower: Follower, topic: str, key: str) -> tuple[str, int]:
    return topic, partition_of(key.encode(), len(follower.partitions(topic)))
