"""A record on its way into Kafka, and where it stands once it is there."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A Kafka record to be published.

    Attributes
    ----------
    topic, key, value, headers
        As they will stand in Kafka.
    timestamp_ms
        Event time where the topic keeps event time, else None: the wall clock at sending.
    partition
        None leaves the choice to the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None = None
    partition: int | None = None


class Delivered(NamedTuple):
    """Where a published record stands."""

    partition: int
    offset: int
    timestamp_ms: int
