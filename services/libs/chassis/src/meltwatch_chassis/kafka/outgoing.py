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

    @property
    def sent_value(self) -> bytes | None:
        """The value as it is sent: empty if there is no key either.

        Both clients refuse a record without both; Kafka itself does not tell them apart.
        """
        return b"" if self.key is None and self.value is None else self.value


class Delivered(NamedTuple):
    """Where a published record stands."""

    partition: int
    offset: int
    timestamp_ms: int
