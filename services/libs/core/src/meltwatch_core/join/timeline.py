"""The events of one modality of a furnace, in order of event time, each instant once.

Records mostly come in order. So events are written behind the last one, into columns with room for
more, and forgotten by moving where they begin: what is held is copied when the room is used up.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_ROOM: Final = 16
_NEVER_NS: Final = -(2**63)


class Timeline:
    """Events in strictly increasing event time; of two at one instant the first counts.

    Parameters
    ----------
    width
        How many float32 an event holds beside its time and offset.
    """

    def __init__(self, width: int = 0) -> None:
        self._width = width
        self._hold(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, width), np.float32))
        self._first = self._stop = 0
        self._newest_ns = _NEVER_NS
        # Newest event that came behind a later one: after it offsets ascend with event time.
        self._late_ns = _NEVER_NS

    def _hold(
        self, times_ns: NDArray[np.int64], offsets: NDArray[np.int64], values: NDArray[np.float32]
    ) -> None:
        """Hold other columns."""
        self._times_ns, self._offsets, self._values = times_ns, offsets, values
        # Take and give Python's integers one by one, several times as fast as the arrays do.
        self._instants_ns, self._places = times_ns.data, offsets.data

    def __len__(self) -> int:
        """Return how many events are held."""
        return self._stop - self._first

    @property
    def times_ns(self) -> NDArray[np.int64]:
        """Event times, shape ``(n,)``, int64, strictly increasing."""
        return self._times_ns[self._first : self._stop]

    @property
    def values(self) -> NDArray[np.float32]:
        """What the events hold, shape ``(n, width)``, float32."""
        return self._values[self._first : self._stop]

    @property
    def size_bytes(self) -> int:
        """What the columns take up, room for more included."""
        return self._times_ns.nbytes + self._offsets.nbytes + self._values.nbytes

    def add_events(
        self, times_ns: Sequence[int], offset: int, values: NDArray[Any]
    ) -> NDArray[np.bool_] | None:
        """Insert the events of one record; records come in the order of their offsets.

        Parameters
        ----------
        times_ns
            Event times, strictly increasing.
        offset
            Of the record.
        values
            Shape ``(m, width)``.

        Returns
        -------
        Which of them are new, shape ``(m,)``; None if all are.
        """
        if not times_ns or times_ns[0] > self._newest_ns:
            self._append(times_ns, offset, values)
            return None
        new: NDArray[np.bool_] = ~np.isin(times_ns, self.times_ns)
        self._append(
            [time_ns for time_ns, is_new in zip(times_ns, new, strict=True) if is_new],
            offset,
            values[new],
        )
        self._late_ns = max(self._late_ns, times_ns[-1])
        self.keep(np.argsort(self.times_ns))
        return new

    def _append(self, times_ns: Sequence[int], offset: int, values: NDArray[Any]) -> None:
        if not times_ns:
            return
        if self._stop + len(times_ns) > self._times_ns.size:
            self._make_room(len(times_ns))
        start, stop = self._stop, self._stop + len(times_ns)
        for place, time_ns in enumerate(times_ns, start):
            self._instants_ns[place], self._places[place] = time_ns, offset
        if self._width:
            self._values[start:stop] = values
        self._stop = stop
        self._newest_ns = max(self._newest_ns, times_ns[-1])

    def _make_room(self, more: int) -> None:
        held = slice(self._first, self._stop)
        size = len(self) + more
        capacity = size + size // 4 + _ROOM
        self._first, self._stop = 0, len(self)
        self._hold(
            _moved(self._times_ns[held], capacity),
            _moved(self._offsets[held], capacity),
            _moved(self._values[held], capacity),
        )

    def forget_until(self, time_ns: int) -> int | None:
        """Drop the events at or before an instant; return the time of the newest, ns."""
        first, self._first = self._first, self._after(time_ns)
        return self._instants_ns[self._first - 1] if self._first > first else None

    def keep(self, chosen: NDArray[Any]) -> None:
        """Drop all events but the chosen ones, given by a mask or by their places in order."""
        held = slice(self._first, self._stop)
        self._hold(
            self._times_ns[held][chosen], self._offsets[held][chosen], self._values[held][chosen]
        )
        self._first, self._stop = 0, self._times_ns.size

    def newest_until(self, time_ns: int) -> int | None:
        """Return the latest event time at or before an instant, ns."""
        place = self._after(time_ns)
        return self._instants_ns[place - 1] if place > self._first else None

    def newest(self, count: int, until_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the newest events at or before an instant, at most so many: times and values.

        They are views that stay as they are: what is held is moved or written behind, not changed.
        """
        stop = self._after(until_ns)
        held = slice(max(stop - count, self._first), stop)
        return self._times_ns[held], self._values[held]

    def earliest_after(self, time_ns: int) -> int | None:
        """Return the first event time after an instant, ns."""
        place = self._after(time_ns)
        return self._instants_ns[place] if place < self._stop else None

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what the events after an instant take up."""
        column_bytes = self._times_ns[:1].nbytes + self._offsets[:1].nbytes
        return (self._stop - self._after(time_ns)) * (column_bytes + self._values[:1].nbytes)

    def lowest_offset(self, since_ns: int | None = None, until_ns: int | None = None) -> int | None:
        """Return the lowest offset of the events in ``(since, until]``; None if there are none."""
        first = self._first if since_ns is None else self._after(since_ns)
        if first >= self._stop:
            return None
        first_ns = self._instants_ns[first]
        if until_ns is not None and first_ns > until_ns:
            return None
        if first_ns > self._late_ns:
            return self._places[first]
        stop = self._stop if until_ns is None else self._after(until_ns)
        return int(self._offsets[first:stop].min())

    def _after(self, time_ns: int) -> int:
        """Return the place of the first event after an instant."""
        if time_ns >= self._newest_ns:
            return self._stop
        return bisect_right(self._instants_ns, time_ns, self._first, self._stop)


def _moved(held: NDArray[Any], capacity: int) -> NDArray[Any]:
    column = np.empty((capacity, *held.shape[1:]), held.dtype)
    column[: len(held)] = held
    return column
