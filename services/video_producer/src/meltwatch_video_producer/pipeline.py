"""From frames to embedding chunks: one frame per stride instant, each in its own message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.window import Grid, WindowSpec
from numpy.typing import NDArray

from meltwatch_video_producer.domain.frames import frame_times_ns
from meltwatch_video_producer.ports import Camera


def at_all_times(event_times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for every event time that there is a frame: shape ``(n,)``, True."""
    return np.ones(event_times_ns.shape, dtype=np.bool_)


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
    camera: Camera
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
