"""Messages of a broker that tell currents, whoever has written them."""

from dataclasses import dataclass
from typing import Protocol

from meltwatch_sources.domain.reading import MeterReading


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """A message as it came.

    Attributes
    ----------
    topic
        Where it was published.
    payload
        Its bytes, of any length.
    is_retained
        The broker had kept it: nobody knows since when.
    arrival_ns
        When it was here, ns UTC of this host.
    """

    topic: str
    payload: bytes
    is_retained: bool
    arrival_ns: int


class MessageReader(Protocol):
    """Makes readings from the messages of one publisher; it may remember those before."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What to listen to."""
        ...

    @property
    def why(self) -> str:
        """Why the newest message held no value; empty if it held one."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether the publisher is known to be there while the broker says nothing else."""
        ...

    def take(self, message: TopicMessage) -> list[MeterReading]:
        """Return what a message says; nothing if it tells of no phase."""
        ...

    def request(self) -> tuple[str, bytes] | None:
        """Return a message that should be sent to the publisher, as topic and payload, if any."""
        ...
