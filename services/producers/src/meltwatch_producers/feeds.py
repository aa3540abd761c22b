"""From what furnaces show to chunks: of a camera one frame, of a meter two samples a message.

Only the last frame before each instant of the clip's grid is ever used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import PHASES, CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.window import Grid, WindowSpec
from numpy.typing import NDArray

FRAME_PERIOD_NS: Final = 40_000_000
"""A camera's own grid: 25 frames a second, counted from the Unix epoch."""
SAMPLES_PER_MESSAGE: Final = 2


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


def message_grid(spec: WindowSpec, furnace_id: str) -> Grid:
    """Return the event times of the last samples of a furnace's messages.

    Furnaces are out of step by the phase of their windows, so that they do not all send at once.
    """
    step_ns = SAMPLES_PER_MESSAGE * spec.sample_period_ns
    return Grid(spec.phase_ns(furnace_id) % step_ns, step_ns)


def sample_times_ns(spec: WindowSpec, last_samples: range) -> NDArray[np.int64]:
    """Return the event times of all samples, message by message.

    Parameters
    ----------
    spec
        Gives the sample period.
    last_samples
        Event times of the last samples of ``m`` messages, ns UTC.

    Returns
    -------
    Shape ``(m, 2)``, int64, ns UTC, ascending.
    """
    back_ns = np.arange(SAMPLES_PER_MESSAGE - 1, -1, -1, dtype=np.int64) * spec.sample_period_ns
    return np.array(last_samples, dtype=np.int64).reshape(-1, 1) - back_ns


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
        """Return the chunks whose last samples lie within ``(after, until]``."""
        times_ns = sample_times_ns(self.spec, self._grid.between(after_ns, until_ns))
        # A message is whole or not sent: its samples follow each other without a gap.
        times_ns = times_ns[self.has_currents(times_ns).all(axis=1)]
        if not times_ns.size:
            return ()
        samples = self.meter.currents(times_ns.reshape(-1)).reshape(*times_ns.shape, PHASES)
        return [
            self._chunk(int(message_times[0]), message_samples)
            for message_times, message_samples in zip(times_ns, samples, strict=True)
        ]

    def next_due_ns(self, after_ns: int) -> int:
        """Return the event time of the first last sample later than a time, ns."""
        return self._grid.first_after(after_ns)

    @property
    def _grid(self) -> Grid:
        return message_grid(self.spec, self.identity.furnace_id)

    def _chunk(self, first_ns: int, samples: NDArray[np.float32]) -> CurrentChunk:
        identity = self.identity
        self.identity = replace(identity, seq=identity.seq + len(samples))
        return CurrentChunk(identity, first_ns, self.spec.sample_period_ns, samples)
