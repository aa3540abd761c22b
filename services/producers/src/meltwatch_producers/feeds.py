"""From what furnaces show to chunks: a camera's frame, and a meter's samples, a message a window.

Only the last frame before each instant of the clip's grid is ever used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.window import NS_PER_MS, Grid, WindowSpec
from numpy.typing import NDArray

FRAME_PERIOD_NS: Final = 40_000_000
"""A camera's own grid: 25 frames a second, counted from the Unix epoch."""
JOIN_WAITS_NS: Final = 500 * NS_PER_MS
"""A window closes with a sample so far behind its end."""


class PlayedCamera(Protocol):
    """A source of frames that can be asked for any instant."""

    def frames(self, event_times_ns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the frames taken at event times (ns UTC), shape ``(n, 64, 64, 3)``, RGB."""
        ...


class PlayedMeter(Protocol):
    """A source of samples that can be asked for any instant."""

    def currents(self, event_times_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the phase currents at event times (ns UTC), shape ``(n, 3)``, amperes."""
        ...


def at_all_times(event_times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say that there is data at every event time: True, in the same shape."""
    return np.ones(event_times_ns.shape, dtype=np.bool_)


def frame_times_ns(instants: range) -> NDArray[np.int64]:
    """Return the event time of the last frame at or before each instant.

    Parameters
    ----------
    instants
        Instants of the clip's grid, ns UTC, ascending.

    Returns
    -------
    Shape ``(len(instants),)``, int64, ns UTC, strictly increasing.
    """
    return np.array(instants, dtype=np.int64) // FRAME_PERIOD_NS * FRAME_PERIOD_NS


@dataclass(slots=True)
class CameraFeed:
    """The camera of one furnace as a ``Feed``.

    Attributes
    ----------
    identity
        Furnace, source, boot and the number of the next frame.
    camera
        Where frames come from.
    encoder
        How they are embedded.
    spec
        Says at which instants a frame is needed.
    has_frames
        Tells for which event times ``(n,)`` the camera has a frame at all.
    """

    identity: ChunkIdentity
    camera: PlayedCamera
    encoder: Encoder
    spec: WindowSpec
    has_frames: Callable[[NDArray[np.int64]], NDArray[np.bool_]] = at_all_times

    def due(self, after_ns: int, until_ns: int) -> Sequence[EmbeddingChunk]:
        """Return the chunks whose instants lie within ``(after, until]``."""
        times_ns = frame_times_ns(self._instants.between(after_ns, until_ns))
        times_ns = times_ns[self.has_frames(times_ns)]
        if not times_ns.size:
            return ()
        embeddings = self.encoder.encode(self.camera.frames(times_ns))
        return [
            self._chunk(int(time_ns), embedding)
            for time_ns, embedding in zip(times_ns, embeddings, strict=True)
        ]

    def next_due_ns(self, after_ns: int) -> int:
        """Return the first instant later than a time, ns."""
        return self._instants.first_after(after_ns)

    @property
    def _instants(self) -> Grid:
        return self.spec.frame_instants(self.identity.furnace_id)

    def _chunk(self, time_ns: int, embedding: NDArray[np.float16]) -> EmbeddingChunk:
        event_times_ns = np.array([time_ns], dtype=np.int64)
        identity = self.identity
        self.identity = replace(identity, seq=identity.seq + 1)
        return EmbeddingChunk(
            identity, event_times_ns, self.encoder.encoder_id, embedding[np.newaxis]
        )


def sample_grid(spec: WindowSpec, furnace_id: str) -> Grid:
    """Return the event times of a furnace's samples."""
    return Grid(spec.phase_ns(furnace_id) % spec.sample_period_ns, spec.sample_period_ns)


def meter_messages(
    spec: WindowSpec, furnace_id: str, after_ns: int, until_ns: int
) -> Sequence[range]:
    """Return the event times of the samples of each message that ends within ``(after, until]``.

    A message ends with the sample that lets a window close: the first one that is as far behind the
    window's end as the join waits. So no window waits for samples that a message still gathers.

    Parameters
    ----------
    spec
        Says where windows end, and gives the sample period.
    furnace_id
        Whose windows.
    after_ns, until_ns
        Event times, ns UTC.
    """
    samples = sample_grid(spec, furnace_id)
    windows = Grid(spec.phase_ns(furnace_id), spec.hop_ns)
    last_window_ns = until_ns - JOIN_WAITS_NS
    first_window_ns = after_ns - JOIN_WAITS_NS - spec.sample_period_ns
    found = []
    for window_ns in windows.between(first_window_ns, last_window_ns):
        last_ns = samples.first_after(window_ns + JOIN_WAITS_NS - 1)
        before_ns = samples.first_after(window_ns - spec.hop_ns + JOIN_WAITS_NS - 1)
        if after_ns < last_ns <= until_ns:
            found.append(range(before_ns + samples.step_ns, last_ns + 1, samples.step_ns))
    return found


def next_message(spec: WindowSpec, furnace_id: str, after_ns: int) -> range:
    """Return the samples of the first message that ends later than a time."""
    latest_ns = after_ns + spec.hop_ns + spec.sample_period_ns
    return meter_messages(spec, furnace_id, after_ns, latest_ns)[0]


@dataclass(slots=True)
class MeterFeed:
    """The meter of one furnace as a ``Feed``.

    Attributes
    ----------
    identity
        Furnace, source, boot and the number of the next sample.
    meter
        Where samples come from.
    spec
        Gives the sample period.
    has_currents
        Tells for which event times the meter has a sample at all.
    """

    identity: ChunkIdentity
    meter: PlayedMeter
    spec: WindowSpec
    has_currents: Callable[[NDArray[np.int64]], NDArray[np.bool_]] = at_all_times

    def due(self, after_ns: int, until_ns: int) -> Sequence[CurrentChunk]:
        """Return the chunks whose message ends within ``(after, until]``."""
        messages = meter_messages(self.spec, self.identity.furnace_id, after_ns, until_ns)
        times_ns = np.array([time_ns for each in messages for time_ns in each], dtype=np.int64)
        number = np.repeat(np.arange(len(messages)), [len(each) for each in messages])
        is_there = self.has_currents(times_ns)
        times_ns, number = times_ns[is_there], number[is_there]
        if not times_ns.size:
            return ()
        # The samples of a chunk follow each other without a gap.
        is_cut = (np.diff(times_ns) != self.spec.sample_period_ns) | (np.diff(number) != 0)
        cuts = np.flatnonzero(is_cut) + 1
        samples = np.split(self.meter.currents(times_ns), cuts)
        return [
            self._chunk(int(times[0]), each)
            for times, each in zip(np.split(times_ns, cuts), samples, strict=True)
        ]

    def next_due_ns(self, after_ns: int) -> int:
        """Return the event time, later than a time, with which a message ends next, ns."""
        return next_message(self.spec, self.identity.furnace_id, after_ns)[-1]

    def _chunk(self, first_ns: int, samples: NDArray[np.float32]) -> CurrentChunk:
        identity = self.identity
        self.identity = replace(identity, seq=identity.seq + len(samples))
        return CurrentChunk(identity, first_ns, self.spec.sample_period_ns, samples)
