"""The join as a peer's step does it: the last frames and samples of each furnace, by event time.

Imports nothing of ours. It is what a user of a stream framework would write: no check of what
comes, no lateness, no idle modality, no quality, no restart in mid-window.
"""

from collections import deque
from typing import Any

import msgpack
import numpy as np

HOP_NS, LOOK_BACK_NS, CLIP, SAMPLES = 1_440_000_000, 120_000_000_000, 10, 240
BOUND_NS = {True: 200_000_000, False: 500_000_000}


def decoded(value: bytes) -> tuple[str, bool, int, Any]:
    """Return furnace, whether it is video, the last event time, and the values."""
    fields = msgpack.unpackb(value)
    if "patches" in fields:
        at_ns = int(np.frombuffer(fields["event_times_ns"], "<i8")[-1])
        frame = np.frombuffer(fields["data"], "<f2").reshape(fields["patches"], fields["dims"])
        return fields["furnace_id"], True, at_ns, frame
    at_ns = fields["event_time_ns"] + (fields["count"] - 1) * fields["period_ns"]
    return fields["furnace_id"], False, at_ns, np.frombuffer(fields["data"], "<f4").reshape(-1, 3)


class Furnace:
    """What is known of a furnace."""

    def __init__(self) -> None:
        self.frames: deque[tuple[int, Any]] = deque(maxlen=64)
        self.samples: deque[tuple[int, Any]] = deque(maxlen=256)
        self.newest = {True: 0, False: 0}
        self.next_ns = 0

    def take(self, is_video: bool, at_ns: int, values: Any) -> list[tuple[Any, Any]]:
        """Take a record; return the windows that it closes."""
        (self.frames if is_video else self.samples).append((at_ns, values))
        self.newest[is_video] = max(self.newest[is_video], at_ns)
        watermark_ns = min(self.newest[kind] - BOUND_NS[kind] for kind in self.newest)
        self.next_ns = self.next_ns or (at_ns // HOP_NS + 1) * HOP_NS
        closed = []
        while self.next_ns <= watermark_ns:
            closed.append(self._window(self.next_ns))
            self.next_ns += HOP_NS
        return closed

    def _window(self, end_ns: int) -> tuple[Any, Any]:
        return window([*self.frames], [*self.samples], end_ns)


def window(frames: list[tuple[int, Any]], samples: list[tuple[int, Any]], end_ns: int) -> Any:
    """Put together the clip and the look-back of a window."""
    clip = [frame for at_ns, frame in frames if at_ns <= end_ns][-CLIP:]
    begin_ns = end_ns - LOOK_BACK_NS
    parts = [values for at_ns, values in samples if begin_ns < at_ns <= end_ns]
    return np.stack(clip) if clip else None, np.concatenate(parts)[-SAMPLES:] if parts else None
