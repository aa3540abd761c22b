"""How far reading has come, by the reader's own clock: the join's only time beside event time.

A partition's end offset is asked for about once a second. Once the position has reached an end
that was asked for at some instant, everything is read that the partition held at that instant.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.score import Modality

MODALITIES: Final = tuple(Modality)
OTHER: Final = {Modality.VIDEO: Modality.CURRENT, Modality.CURRENT: Modality.VIDEO}
"""Of each modality the other one."""
_MAX_ENDS: Final = 64
"""End offsets remembered while reading lags behind: a minute of them, then the last is replaced."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader of a partition pair knows at an instant.

    Attributes
    ----------
    now_ns
        The reader's monotonic clock.
    read_as_of
        Per modality, the instant of this clock as of which all is read that its partition held;
        absent while nothing is known.
    held_back
        The modality whose topic we ourselves have paused because too much waits, or None.
    """

    now_ns: int
    read_as_of: Mapping[Modality, int] = field(default_factory=dict)
    held_back: Modality | None = None

    def is_read_since(self, modality: Modality, since_ns: int) -> bool:
        """Tell whether all is read that a modality's partition held at an instant."""
        as_of_ns = self.read_as_of.get(modality)
        return as_of_ns is not None and as_of_ns >= since_ns

    @property
    def all_as_of_ns(self) -> int | None:
        """The instant as of which all is read in both topics, or None."""
        if len(self.read_as_of) < len(Modality):
            return None
        return min(self.read_as_of.values())


class KnownEnds:
    """What is known of the end of one partition.

    Attributes
    ----------
    end_offset
        The newest one; None before the first.
    as_of_ns
        Instant as of which all is read, or None.
    """

    def __init__(self) -> None:
        self.end_offset: int | None = None
        self.as_of_ns: int | None = None
        self._unreached: deque[tuple[int, int]] = deque()

    def told(self, asked_ns: int, end_offset: int) -> None:
        """Take an end offset that was asked for at an instant; instants ascend."""
        self.end_offset = end_offset
        if len(self._unreached) >= _MAX_ENDS:
            self._unreached.pop()
        self._unreached.append((asked_ns, end_offset))

    def reached(self, position: int) -> bool:
        """Take note that all below a position is read; tell whether ``as_of_ns`` has moved."""
        before_ns = self.as_of_ns
        while self._unreached and self._unreached[0][1] <= position:
            self.as_of_ns = self._unreached.popleft()[0]
        return self.as_of_ns is not before_ns
