"""From samples to current chunks: two samples a message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import PHASES, CurrentChunk
from meltwatch_schemas.window import Grid, WindowSpec
from numpy.typing import NDArray

from meltwatch_current_producer.domain.samples import message_grid, sample_times_ns
from meltwatch_current_producer.ports import Meter


def at_all_times(event_times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for every event time that there is a sample: the same shape, True."""
    return np.ones(event_times_ns.shape, dtype=np.bool_)


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
    meter: Meter
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
