"""What the pipeline needs from outside."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Meter(Protocol):
    """A source of samples that can be asked for any instant."""

    def currents(self, event_times_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the phase currents at event times (ns UTC), shape ``(n, 3)``, amperes."""
        ...
