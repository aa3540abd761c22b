"""Which frames of a camera are used: the last one at or before each instant of the clip's grid.

A reader that is slower than its camera passes frames over, or its delay would grow without end.
"""

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from meltwatch_schemas.window import NS_PER_S, Grid

BEHIND_NS: Final = 1 * NS_PER_S
_IDLE_SHARE: Final = 0.05
_JUDGED_NS: Final = 2 * NS_PER_S
AnyFrame = TypeVar("AnyFrame")


@dataclass(slots=True)
class StrideSampler(Generic[AnyFrame]):
    """Holds the newest frame until a later one shows that it was the last before an instant.

    A frame serves the first instant at or after it and no other: a gap stays a gap.

    Attributes
    ----------
    instants
        Of the furnace's clips.
    """

    instants: Grid
    _held: tuple[int, AnyFrame] | None = field(default=None)
    _used_until_ns: int | None = field(default=None)

    def take(self, event_ns: int, frame: AnyFrame) -> tuple[int, AnyFrame] | None:
        """Take the next frame; return the one before it with its time, if that one is to be used.

        Parameters
        ----------
        event_ns
            Later than that of the frame before.
        frame
            Whatever stands for it.
        """
        instant_ns = self.instants.first_after(event_ns - 1)
        if self._used_until_ns is not None and instant_ns <= self._used_until_ns:
            return None
        chosen = self.due(event_ns - 1)
        self._held = event_ns, frame
        return chosen

    def due(self, until_ns: int) -> tuple[int, AnyFrame] | None:
        """Return the held frame if nothing until a time can be nearer to its instant any more."""
        if self._held is None:
            return None
        instant_ns = self.instants.first_after(self._held[0] - 1)
        if instant_ns > until_ns:
            return None
        chosen, self._held, self._used_until_ns = self._held, None, instant_ns
        return chosen


@dataclass(slots=True)
class Backlog:
    """Tells a reader that is slower than its camera from a camera whose media time runs slowly.

    Both delay frames more and more. But who is behind never waits for the next packet.
    """

    _least_ns: int | None = None
    _since_ns: int = 0
    _idle_ns: int = 0

    def is_behind(self, media_ns: int, arrival_ns: int, waited_ns: int) -> bool:
        """Say whether to pass over what comes until the next key frame.

        Parameters
        ----------
        media_ns
            Media time of the packet.
        arrival_ns
            When it was read.
        waited_ns
            How long it was waited for.
        """
        delay_ns = arrival_ns - media_ns
        if self._least_ns is None or delay_ns < self._least_ns:
            self._least_ns = delay_ns
        self._idle_ns += waited_ns
        passed_ns = arrival_ns - self._since_ns
        if passed_ns < _JUDGED_NS:
            return False
        is_busy = self._idle_ns < _IDLE_SHARE * passed_ns
        self._since_ns, self._idle_ns = arrival_ns, 0
        return is_busy and delay_ns - self._least_ns > BEHIND_NS
