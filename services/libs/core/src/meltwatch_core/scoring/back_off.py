"""How long to wait before a dependency is asked again."""

from collections.abc import Iterator
from typing import Final

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


def back_off(
    first_s: float = _FIRST_PAUSE_S, longest_s: float = _LONGEST_PAUSE_S
) -> Iterator[float]:
    """Yield pauses in seconds that double up to a longest one, for ever."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)
