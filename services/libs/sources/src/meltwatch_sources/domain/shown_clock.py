"""A clock held before a camera: how long the light of a frame takes to become its event time."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

STEP_NS: Final = 50 * NS_PER_MS
"""A new instant is shown so often."""
LEAST: Final = 5
"""So many instants must be read before a delay is said."""
_MARK: Final = "MW"
_TEXT: Final = re.compile(rf"{_MARK}([0-9]{{13}})")


def shown_text(now_ns: int) -> str:
    """Return what stands in the code that is shown at an instant, ns UTC."""
    return f"{_MARK}{now_ns // NS_PER_MS:013}"


@dataclass(slots=True)
class ShownClock:
    """Compares instants read from pictures with the event times of their frames.

    Attributes
    ----------
    delay_ns
        The camera's delay that these event times already count with.
    """

    delay_ns: int
    _delays_ns: list[int] = field(default_factory=list)

    def take(self, text: str | None, event_ns: int) -> None:
        """Take what a picture's code says; anything but our clock counts for nothing."""
        if text is not None and (said := _TEXT.fullmatch(text)):
            # A code stands for one step: in the mean it is half of it old.
            shown_ns = int(said[1]) * NS_PER_MS + STEP_NS // 2
            self._delays_ns.append(self.delay_ns + event_ns - shown_ns)

    @property
    def count(self) -> int:
        """In how many pictures it was read."""
        return len(self._delays_ns)

    @property
    def camera_delay_s(self) -> float | None:
        """The camera's delay, s: the middle one of all; None of too few."""
        return self._in_s(median)

    @property
    def spread_s(self) -> float | None:
        """Between the least and the largest delay, s; None of too few."""
        return self._in_s(lambda delays: max(delays) - min(delays))

    def _in_s(self, of: Callable[[list[int]], float]) -> float | None:
        return of(self._delays_ns) / NS_PER_S if self.count >= LEAST else None
