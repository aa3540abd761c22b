"""Numbers that a run collects: latencies within bounds, counters of processes that restart."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

MAX_LATENCIES: Final = 100_000
PERCENTILES: Final = (50, 95, 99)


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


class RestartingCounters:
    """Totals of counters that begin at zero again when their process does."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def read(self, values: Mapping[str, float]) -> None:
        """Note what the process shows now; a value that fell tells of a restart."""
        for name, value in values.items():
            last = self._last.get(name, 0.0)
            if value < last:
                self._before[name] = self._before.get(name, 0.0) + last
            self._last[name] = value

    def total(self, name: str) -> int:
        """Return what was counted over all restarts, 0 for a counter that was never shown."""
        return int(self._before.get(name, 0.0) + self._last.get(name, 0.0))
