"""Whether windows wait too long for their judgement: a slow scorer is reported, never given up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.window import NS_PER_S

SCORING_LAG: Final = Reason.SCORING_LAG
_LONGEST_INTERVAL_S: Final = 1.0
_log = structlog.get_logger()


class _Waiting(NamedTuple):
    furnace_id: str
    since_ns: int


class ScoringLag:
    """Remembers who waits, and says when the oldest waits too long and when that is over.

    Parameters
    ----------
    limit_s
        Age of the oldest that is too much; below half of it the lag is over.
    clock
        Monotonic time.
    """

    def __init__(self, limit_s: float, clock: Clock) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: dict[object, _Waiting] = {}
        self._since_ns: int | None = None

    @property
    def count(self) -> int:
        """How many windows wait."""
        return len(self._waiting)

    @contextmanager
    def waiting(self, furnace_id: str) -> Iterator[None]:
        """Count a window of a furnace as waiting."""
        ticket = object()
        self._waiting[ticket] = _Waiting(furnace_id, self._clock.monotonic_ns())
        try:
            yield
        finally:
            del self._waiting[ticket]

    async def watch(self) -> None:
        """Look again and again; runs until cancelled."""
        while True:
            await asyncio.sleep(min(_LONGEST_INTERVAL_S, self._limit_s / 4))
            self.look()

    def look(self) -> None:
        """Say what has changed since the last look."""
        now_ns = self._clock.monotonic_ns()
        # They entered in this order.
        oldest = next(iter(self._waiting.values()), None)
        age_s = (now_ns - oldest.since_ns) / NS_PER_S if oldest else 0.0
        if oldest is not None and self._since_ns is None and age_s > self._limit_s:
            self._since_ns = now_ns
            _log.warning(
                SCORING_LAG, furnace=oldest.furnace_id, age_s=round(age_s, 1),
                waiting=len(self._waiting),
            )  # fmt: skip
        elif self._since_ns is not None and age_s < self._limit_s / 2:
            _log.info("scoring_lag_over", after_s=round((now_ns - self._since_ns) / NS_PER_S, 1))
            self._since_ns = None
