"""What the pipeline needs from outside."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Camera(Protocol):
    """A source of frames that can be asked for any instant."""

    def frames(self, event_times_ns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the frames taken at event times (ns UTC), shape ``(n, 64, 64, 3)``, RGB."""
        ...
