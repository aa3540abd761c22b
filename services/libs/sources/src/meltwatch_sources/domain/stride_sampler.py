"""Which frames of a camera are used: the last one at or before each instant of the clip's grid."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from meltwatch_schemas.window import Grid

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
