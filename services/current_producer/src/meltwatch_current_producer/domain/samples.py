"""Which samples travel in which message."""

from typing import Final

import numpy as np
from meltwatch_schemas.window import Grid, WindowSpec
from numpy.typing import NDArray

SAMPLES_PER_MESSAGE: Final = 2


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
