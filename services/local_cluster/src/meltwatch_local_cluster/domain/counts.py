"""Numbers that a run collects: latencies within bounds, counters of processes that restart."""

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Final, Generic, TypeVar

import numpy as np

MAX_LATENCIES: Final = 100_000
PERCENTILES: Final = (50, 95, 99)
_Name = TypeVar("_Name", bound=Hashable)


class Latencies:
    """The newest latencies, at most ``MAX_LATENCIES`` of them."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=MAX_LATENCIES)

    def add_ns(self, latency_ns: int) -> None:
        """Note a latency."""
        self._seconds.append(latency_ns / 1e9)

    def percentiles(self) -> dict[str, float | None]:
        """Return ``p50``, ``p95`` and ``p99`` in seconds, interpolated; None without latencies."""
        names = [f"p{rank}" for rank in PERCENTILES]
        if not self._seconds:
            return dict.fromkeys(names)
        values = np.percentile(np.array(self._seconds), PERCENTILES)
        return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}


class RestartingCounters(Generic[_Name]):
    """Totals of counters that start again at zero with their process."""

    def __init__(self) -> None:
        self._before: dict[_Name, float] = {}
        self._last: dict[_Name, float] = {}

    def read(self, values: Mapping[_Name, float]) -> None:
        """Note the present values of a process; a value that fell means a restart."""
        for name, value in values.items():
            last = self._last.get(name, 0.0)
            if value < last:
                self._before[name] = self._before.get(name, 0.0) + last
            self._last[name] = value

    def total(self, name: _Name) -> int:
        """Return what was counted over all restarts, 0 for a counter that was never shown."""
        return int(self._before.get(name, 0.0) + self._last.get(name, 0.0))

    def totals(self) -> dict[_Name, int]:
        """Return what was counted under each name."""
        return {name: self.total(name) for name in self._last}
