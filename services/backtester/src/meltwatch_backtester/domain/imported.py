"""From the samples of a historian to records of currents, on the grid of their furnace."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import PHASES, SCHEMA, CurrentChunk, encode_current
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord, RawRecord, headers_for, read_current
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import PUBLISHED_SPEC, Grid
from numpy.typing import NDArray

from meltwatch_backtester.domain.history_rows import HistoricalSample
from meltwatch_backtester.errors import BadUsage

PERIOD_NS: Final = PUBLISHED_SPEC.sample_period_ns
SAMPLES: Final = 2
"""Of a record, as producers send them."""


@dataclass(slots=True)
class HistoryGrid:
    """Puts samples onto the points for which windows ask.

    Attributes
    ----------
    identity
        Furnace, source, boot and the number of the next sample.
    hold_ns
        A value stands for points up to so much later: a historian writes what has changed.
    """

    identity: ChunkIdentity
    hold_ns: int
    _rows: deque[HistoricalSample] = field(default_factory=deque)
    _last_points: Grid = field(init=False)
    _next_ns: int = field(default=0, init=False)
    """Last point of the next record."""
    _valued_ns: int | None = None

    def __post_init__(self) -> None:
        step_ns = SAMPLES * PERIOD_NS
        phase_ns = PUBLISHED_SPEC.phase_ns(self.identity.furnace_id)
        self._last_points = Grid(phase_ns % step_ns, step_ns)

    def chunks(self, samples: Iterable[HistoricalSample]) -> Iterator[CurrentChunk]:
        """Yield the records of samples, which come by time.

        Points without a value are NaN. After a look-back without any, nothing is sent: the furnace
        was silent.
        """
        for sample in samples:
            yield from self._until(sample.time_ns)
            self._take(sample)
        if self._rows:
            yield from self._until(self._rows[-1].time_ns + 1)

    def _until(self, time_ns: int) -> Iterator[CurrentChunk]:
        """Yield the records whose last point lies before a time."""
        while self._valued_ns is not None and self._next_ns < time_ns:
            if self._next_ns - self._valued_ns > PUBLISHED_SPEC.lookback_ns:
                self._valued_ns = None
                return
            yield self._chunk()
            self._next_ns += self._last_points.step_ns

    def _take(self, sample: HistoricalSample) -> None:
        self._rows.append(sample)
        while len(self._rows) > 1 and self._rows[1].time_ns <= self._next_ns - PERIOD_NS:
            self._rows.popleft()
        if np.isfinite(sample.values).any():
            if self._valued_ns is None:
                first_ns = sample.time_ns - 1 + (SAMPLES - 1) * PERIOD_NS
                self._next_ns = self._last_points.first_after(first_ns)
            self._valued_ns = sample.time_ns

    def _chunk(self) -> CurrentChunk:
        points = range(self._next_ns - (SAMPLES - 1) * PERIOD_NS, self._next_ns + 1, PERIOD_NS)
        values = np.stack([self._at(point) for point in points])
        identity = replace(self.identity, ingest_time_ns=points[-1])
        self.identity = replace(identity, seq=identity.seq + len(points))
        return CurrentChunk(identity, points[0], PERIOD_NS, values)

    def _at(self, point_ns: int) -> NDArray[np.float32]:
        """Return the newest row at or before a point, unless it is too old."""
        for row in reversed(self._rows):
            if row.time_ns <= point_ns:
                if point_ns - row.time_ns <= self.hold_ns:
                    return row.values
                break
        return np.full(PHASES, np.nan, dtype=np.float32)


def record_of(chunk: CurrentChunk) -> OutgoingRecord:
    """Return a chunk as a record."""
    return OutgoingRecord(
        Topic.CURRENTS, chunk.identity.furnace_id.encode(), encode_current(chunk),
        tuple(headers_for(SCHEMA)), timestamp_ms(chunk.last_event_ns),
    )  # fmt: skip


def records_of(chunks: Iterable[CurrentChunk], topic: str, partition: int) -> Iterator[RawRecord]:
    """Yield chunks as the records that a partition would hold, numbered from 0."""
    for offset, chunk in enumerate(chunks):
        made = record_of(chunk)
        at_ms = timestamp_ms(chunk.last_event_ns)
        yield RawRecord(topic, partition, offset, at_ms, made.key, made.value, made.headers)


def next_seq(newest: RawRecord | None, identity: ChunkIdentity) -> int:
    """Return the number of the first sample that does not stand in a topic yet.

    Parameters
    ----------
    newest
        The last record of the furnace there.
    identity
        Of what is to be imported.

    Raises
    ------
    BadUsage
        If it is of another import.
    """
    if newest is None:
        return 0
    try:
        chunk = read_current(newest)
    except ContractViolation as error:
        raise _other_currents(identity, error.detail) from error
    if chunk.identity.boot_id != identity.boot_id:
        raise _other_currents(
            identity, f"some of source {chunk.identity.source_id!r}, another file or other options"
        )
    return chunk.identity.seq + len(chunk.data)


def _other_currents(identity: ChunkIdentity, got: str) -> BadUsage:
    return BadUsage(
        f"expected no other currents of {identity.furnace_id} in the replay {identity.run_id}, "
        f"got {escaped(got)}; take another name"
    )
