"""Events of one modality in order of event time, each once, with the offset of its record."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FRAME: Final = np.dtype([("time_ns", np.int64), ("offset", np.int64)])
"""An event without a value of its own."""

SAMPLE: Final = np.dtype(
    [
        ("time_ns", np.int64),
        ("offset", np.int64),
        ("value_a", np.float32, (3,)),
    ]
)
"""An event with three phases, amperes."""


class Timeline:
    """Events in strictly increasing event time; of two at one instant the first counts.

    Parameters
    ----------
    dtype
        ``FRAME`` or ``SAMPLE``.
    """

    def __init__(self, dtype: "np.dtype[Any]") -> None:
        self.events: NDArray[Any] = np.empty(0, dtype)

    @property
    def times_ns(self) -> NDArray[np.int64]:
        """Event times, shape ``(n,)``, int64, strictly increasing."""
        times: NDArray[np.int64] = self.events["time_ns"]
        return times

    def add_events(self, events: NDArray[Any]) -> tuple[NDArray[np.bool_], int]:
        """Insert the events of one record.

        Parameters
        ----------
        events
            Shape ``(m,)``, of the timeline's dtype, strictly increasing in time.

        Returns
        -------
        Which of them are new, shape ``(m,)``, and the number of those that are not.
        """
        held = self.times_ns
        if not held.size or not events.size or events["time_ns"][0] > held[-1]:
            self.events = _joined(self.events, events)
            return np.ones(events.size, np.bool_), 0
        new = ~np.isin(events["time_ns"], held)
        merged = _joined(self.events, events[new])
        self.events = merged[np.argsort(merged["time_ns"])]
        return new, int(events.size - np.count_nonzero(new))

    def forget_until(self, time_ns: int) -> None:
        """Drop the events at or before an instant."""
        self.events = self.events[self.times_ns.searchsorted(time_ns, "right") :].copy()

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Drop all events but the chosen ones."""
        self.events = self.events[chosen]

    def newest_until(self, time_ns: int) -> int | None:
        """Return the latest event time at or before an instant, ns."""
        position = int(self.times_ns.searchsorted(time_ns, "right"))
        return int(self.times_ns[position - 1]) if position else None

    def earliest_after(self, time_ns: int) -> int | None:
        """Return the first event time after an instant, ns."""
        position = int(self.times_ns.searchsorted(time_ns, "right"))
        return int(self.times_ns[position]) if position < self.events.size else None

    def size_bytes_after(self, time_ns: int) -> int:
        """Return what the events after an instant take up."""
        position = int(self.times_ns.searchsorted(time_ns, "right"))
        return int(self.events[position:].nbytes)

    def lowest_offset(self, since_ns: int | None = None, until_ns: int | None = None) -> int | None:
        """Return the lowest offset of the events in ``(since, until]``; None if there are none."""
        first = 0 if since_ns is None else self.times_ns.searchsorted(since_ns, "right")
        last = None if until_ns is None else self.times_ns.searchsorted(until_ns, "right")
        offsets = self.events["offset"][first:last]
        return int(offsets.min()) if offsets.size else None


def _joined(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    # np.concatenate spends most of its time on finding the common dtype.
    joined = np.empty(first.size + second.size, first.dtype)
    joined[: first.size], joined[first.size :] = first, second
    return joined
