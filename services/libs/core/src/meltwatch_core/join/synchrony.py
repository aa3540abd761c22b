"""How well the two clocks of one furnace agree, estimated every minute of event time."""

from enum import IntEnum
from typing import Final

from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.join.skew import SPAN_NS, Trace, estimate_skew

SYNC_SKEW: Final = Reason.SYNC_SKEW
_INTERVAL_NS: Final = 60 * NS_PER_S


class SkewLevel(IntEnum):
    """What a skew means, worse ones higher."""

    UNKNOWN = 0
    FINE = 1
    WARNING = 2
    ALARM = 3


_LIMITS_S: Final = {SkewLevel.ALARM: (0.25, 0.20), SkewLevel.WARNING: (0.10, 0.08)}
"""Magnitude from which a level holds, and below which it no longer does."""


class Synchrony:
    """The clocks of one furnace, from its first record to its retirement.

    Parameters
    ----------
    offset_s
        By how much brightness follows the current while both clocks are right, as commissioned.
    """

    def __init__(self, offset_s: float) -> None:
        self._offset_s = offset_s
        self._traces = {modality: Trace() for modality in Modality}
        self._now_ns = 0
        self._next_ns: int | None = None
        self._told_ns = 0
        self.skew_s: float | None = None
        self.level = SkewLevel.UNKNOWN

    def note(self, modality: Modality, time_ns: int, value: float) -> None:
        """Take the mean grey of a frame, or the sum of a sample's magnitudes.

        Parameters
        ----------
        modality
            Which of them.
        time_ns
            Event time.
        value
            Finite.
        """
        self._traces[modality].add(time_ns, value)
        self._now_ns = max(self._now_ns, time_ns)

    def update(self) -> bool:
        """Estimate the skew if a minute has passed; tell whether its level is another one."""
        if self._next_ns is None:
            self._next_ns = self._now_ns + _INTERVAL_NS
        if self._now_ns < self._next_ns:
            return False
        self._next_ns = self._now_ns + _INTERVAL_NS
        lag_s = estimate_skew(
            self._traces[Modality.VIDEO], self._traces[Modality.CURRENT], self._now_ns
        )
        if lag_s is not None:
            self._told_ns, self.skew_s = self._now_ns, lag_s - self._offset_s
        elif self._now_ns - self._told_ns >= SPAN_NS:
            self.skew_s = None
        before, self.level = self.level, level_of(self.skew_s, self.level)
        return self.level is not before

    @property
    def size_bytes(self) -> int:
        """What the signals hold."""
        return sum(trace.size_bytes for trace in self._traces.values())


def level_of(skew_s: float | None, before: SkewLevel) -> SkewLevel:
    """Return the level of a skew; one that holds already takes a smaller skew to end."""
    if skew_s is None:
        return SkewLevel.UNKNOWN
    for level, (on_s, off_s) in _LIMITS_S.items():
        if abs(skew_s) >= (off_s if before >= level else on_s):
            return level
    return SkewLevel.FINE
