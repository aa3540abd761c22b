"""A recording played back: its past second by second at a new place in event time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_fmf_benchmark.recording import SECOND_NS, IntArray, Recording

LONGEST_HOLD_NS: Final = SECOND_NS
"""A frame or sample stands until the next one comes, but no longer: beyond it there is a gap."""

_PLANT: Final = "fmf-benchmark"
_LONGEST_LEVEL: Final = 64


@dataclass(frozen=True, slots=True)
class Playback:
    """A recorded furnace, which can be asked for its frames and currents at any event time.

    Attributes
    ----------
    recording
        Open while it is asked.
    begin_ns
        Event time of its first sample, ns UTC.
    """

    recording: Recording
    begin_ns: int

    @property
    def furnace_id(self) -> str:
        """The recording's name as a furnace id: ``fmf-benchmark/<name>``."""
        return furnace_id(self.recording.name)

    def frames(self, event_times_ns: IntArray) -> NDArray[np.uint8]:
        """Return the last frame at or before each time (ns UTC), ``(n, 64, 64, 3)``, RGB."""
        index = self.recording.frame_at(event_times_ns - self.begin_ns)
        return self.recording.pictures.frames(index)

    def currents(self, event_times_ns: IntArray) -> NDArray[np.float32]:
        """Return the last sample at or before each time (ns UTC), ``(n, 3)``, amperes."""
        return self.recording.currents.held(event_times_ns - self.begin_ns)

    def has_frames(self, event_times_ns: IntArray) -> NDArray[np.bool_]:
        """Tell for which times (ns UTC) there is a frame of that second."""
        return _are_held(self.recording.frame_times_ns, event_times_ns - self.begin_ns)

    def has_currents(self, event_times_ns: IntArray) -> NDArray[np.bool_]:
        """Tell for which times (ns UTC) there is a sample of that second."""
        return _are_held(self.recording.currents.times_ns, event_times_ns - self.begin_ns)


def play(recordings: Sequence[Recording], origin_ns: int) -> list[Playback]:
    """Return recordings that all begin with the first whole second from an event time on.

    On whole seconds the frames lie on a camera's own grid of 40 ms.
    """
    begin_ns = -(-origin_ns // SECOND_NS) * SECOND_NS
    return [Playback(recording, begin_ns) for recording in recordings]


def furnace_id(name: str) -> str:
    """Return the furnace id of a recording's name; what no id may hold becomes ``_``."""
    return f"{_PLANT}/{re.sub('[^A-Za-z0-9._-]', '_', name)[:_LONGEST_LEVEL]}"


def _are_held(times_ns: IntArray, wanted_ns: IntArray) -> NDArray[np.bool_]:
    last = np.searchsorted(times_ns, wanted_ns, side="right") - 1
    age_ns = wanted_ns - times_ns[np.maximum(last, 0)]
    return (age_ns >= 0) & (age_ns < LONGEST_HOLD_NS)
