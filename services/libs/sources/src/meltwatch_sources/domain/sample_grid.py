"""Which value a grid point of the currents takes: of a meter that is asked, or of one that tells.

Nothing is invented. A point without a value of its own time is NaN: never 0, never an old value.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.current import PHASES
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, Grid
from numpy.typing import NDArray

from meltwatch_sources.domain.reading import MeterReading, nothing
from meltwatch_sources.domain.source_time import SourceTime

IN_TIME_NS: Final = 250 * NS_PER_MS
"""A point waits so long for its value."""
FRESH_NS: Final = 750 * NS_PER_MS
"""A value that was told stands for points up to so much later."""
HOLD_NS: Final = 2 * NS_PER_S
"""While its source proves alive, a value stands for points up to so much later."""
ALIVE_NS: Final = 2 * NS_PER_S
"""A source is alive for so long after it proved that: servers tell their time once a second."""
KEPT: Final = 4096
"""Readings or values that wait for their points: a quarter of an hour at four a second."""
_JUDGED: Final = 64
_FAR_NS: Final = 2 * NS_PER_S


class SampleGrid(Protocol):
    """Takes readings as they come and gives the samples of grid points, oldest first."""

    @property
    def time(self) -> SourceTime | None:
        """What judges the source's own clock; None where it has none."""
        ...

    def take(self, reading: MeterReading) -> None:
        """Take a reading; they come in order of arrival."""
        ...

    def settle_ns(self) -> int:
        """Return how long after a grid point its value is final, ns."""
        ...

    def sample(self, point_ns: int) -> NDArray[np.float32]:
        """Return the sample of a point, shape ``(3,)``; later points alone may follow."""
        ...

    def error_ns(self) -> int:
        """Return how far the times of the samples may be off, seen from this host's clock, ns."""
        ...

    def lag_ns(self) -> int | None:
        """Return how long after its time the newest value was here, ns; None before the first."""
        ...


@dataclass(slots=True)
class PolledGrid:
    """Of a meter that is asked on the grid, ``delay`` later than the point.

    Attributes
    ----------
    grid
        The points.
    delay_ns
        Of the meter's values: half of its averaging and its refresh.
    """

    grid: Grid
    delay_ns: int = 0
    time: SourceTime | None = field(default=None, init=False)
    _samples: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    _off_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_JUDGED))

    def take(self, reading: MeterReading) -> None:
        """Give a reading to the point that it was asked for, if it was answered in time."""
        asked_ns = reading.asked_ns - self.delay_ns
        point_ns = self.grid.first_after(asked_ns) - self.grid.step_ns
        late_ns = reading.answered_ns - self.delay_ns - point_ns
        if reading.answered_ns < reading.asked_ns or late_ns > IN_TIME_NS:
            return
        self._off_ns.append(late_ns)
        self._samples[point_ns] = reading.values
        while len(self._samples) > KEPT:
            del self._samples[next(iter(self._samples))]

    def settle_ns(self) -> int:
        """Return how long after a grid point its value is final, ns."""
        return self.delay_ns + IN_TIME_NS

    def sample(self, point_ns: int) -> NDArray[np.float32]:
        """Return the sample of a point, NaN if nothing was answered in time."""
        found = self._samples.get(point_ns)
        for passed_ns in [time_ns for time_ns in self._samples if time_ns <= point_ns]:
            del self._samples[passed_ns]
        return nothing() if found is None else found

    def error_ns(self) -> int:
        """Return how far behind its point a reading came of late."""
        return max(self._off_ns, default=IN_TIME_NS)

    def lag_ns(self) -> int | None:
        """Return how long after its time the newest value was here, ns."""
        return self.delay_ns + self._off_ns[-1] if self._off_ns else None


@dataclass(slots=True)
class _Told:
    """A value of one phase, and when it was measured."""

    event_ns: int
    value: float


@dataclass(slots=True)
class PushedGrid:
    """Of a meter that tells its values when it likes.

    Attributes
    ----------
    time
        Says when a value was measured.
    hold_ns
        How long a value may stand while the source proves alive.
    """

    time: SourceTime
    hold_ns: int = HOLD_NS
    _told: tuple[deque[_Told], ...] = field(
        default_factory=lambda: tuple(deque[_Told](maxlen=KEPT) for _ in range(PHASES))
    )
    _lags_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_JUDGED))
    _alive_ns: int | None = None

    def take(self, reading: MeterReading) -> None:
        """Keep what a reading tells of each phase; one that tells of none proves life."""
        arrival_ns = reading.answered_ns
        self._alive_ns = arrival_ns
        if not reading.phases:
            return
        event_ns = self.time.event_ns(reading.source_ns, arrival_ns)
        self._lags_ns.append(arrival_ns - event_ns)
        for phase in reading.phases:
            self._told[phase].append(_Told(event_ns, float(reading.values[phase])))

    def settle_ns(self) -> int:
        """Return how long after a grid point its value is final, ns: as late as values come."""
        lag_ns = max(self._lags_ns, default=0)
        return IN_TIME_NS + min(max(lag_ns, 0), _FAR_NS + self.time.delay_ns)

    def sample(self, point_ns: int) -> NDArray[np.float32]:
        """Return the newest values at or before a point that are not too old for it."""
        sample = nothing()
        for phase, told in enumerate(self._told):
            newest = _newest(told, point_ns)
            if newest is not None and point_ns - newest.event_ns <= self._reach_ns(point_ns):
                sample[phase] = newest.value
        return sample

    def error_ns(self) -> int:
        """Return how far event times lay from arrival of late, and how often values are looked at.

        The source's clock may be off by as much as that, and no more.
        """
        return max(map(abs, self._lags_ns), default=_FAR_NS) + IN_TIME_NS

    def lag_ns(self) -> int | None:
        """Return how long after its time the newest value was here, ns."""
        return self._lags_ns[-1] if self._lags_ns else None

    def _reach_ns(self, point_ns: int) -> int:
        is_alive = self._alive_ns is not None and point_ns - self._alive_ns <= ALIVE_NS
        return max(FRESH_NS, self.hold_ns) if is_alive else FRESH_NS


def _newest(told: deque[_Told], point_ns: int) -> _Told | None:
    """Return the newest value at or before a point; forget those that no later point can take.

    A value of the past that comes late is in its place by its time, not by its arrival.
    """
    past = [each for each in told if each.event_ns <= point_ns]
    if not past:
        return None
    newest = max(reversed(past), key=lambda each: each.event_ns)  # of equals the last told
    ahead = [each for each in told if each.event_ns > point_ns]
    told.clear()
    told.append(newest)
    told.extend(ahead)
    return newest
