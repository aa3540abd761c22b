"""Meters of a plant file: a task of one loop each, and a sample for each point of the grid.

While a meter is away its samples go on as NaN, so that its furnace is judged ``degraded`` at once.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.loop_thread import LoopThread
from meltwatch_chassis.metrics import Metrics
from meltwatch_producers.feeds import meter_messages, next_message, sample_grid
from meltwatch_producers.publication import unsent
from meltwatch_schemas.chunk import ChunkIdentity, Modality, Sync, SyncSource
from meltwatch_schemas.current import PHASES, CurrentChunk
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_sources.adapters.host_clock import UNKNOWN_NS, host_error_ns
from meltwatch_sources.adapters.meters import open_meter, samples_of
from meltwatch_sources.credentials import CredentialStore, redacted
from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.domain.sample_grid import KEPT
from meltwatch_sources.plant import CurrentSource, PlantSources
from meltwatch_sources.source_report import SourceTiming
from meltwatch_sources.supervisor import LiveSource, follow_meter

from meltwatch_source_producer.live import Outlet, name_of

_LONGEST_NS: Final = 900 * NS_PER_S
"""What is further back is not made up: this machine slept, or its clock was put right."""
_AHEAD_NS: Final = 10 * NS_PER_S
"""The next point is never further ahead, unless the clock goes back."""
_HANDED_OVER_NS: Final = 50 * NS_PER_MS
"""From an answer to the meter's own task, on a busy machine."""
_LOOK_S: Final = 0.1
_UNKNOWN_DELAY_NS: Final = NS_PER_S
"""Averaging and refresh of a meter of which the plant file says nothing: 0.1 to 1 s."""


class LiveMeterFeed:
    """The meter of one furnace: a message a window, whatever the meter does.

    Parameters
    ----------
    identity
        Furnace, source, boot and the number of the next sample.
    source
        What the plant file says of the meter.
    live
        Its state, which is told how good the samples' times are.
    clock
        Gives wall time.
    metrics
        Where samples are counted.
    """

    def __init__(
        self,
        identity: ChunkIdentity,
        source: CurrentSource,
        live: LiveSource,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._live = live
        self._identity = identity
        self._clock = clock
        self._metrics = metrics
        self._samples = samples_of(source, sample_grid(PUBLISHED_SPEC, identity.furnace_id))
        is_delay_known = source.meter_delay_s > 0 or self._samples.time is not None
        self._unknown_ns = 0 if is_delay_known else _UNKNOWN_DELAY_NS
        # The first message has all of its samples after this moment.
        self._after_ns = next_message(PUBLISHED_SPEC, identity.furnace_id, clock.now_ns())[-1]
        self._readings: deque[MeterReading] = deque(maxlen=KEPT)
        self._disagrees = False

    def take(self, reading: MeterReading) -> None:
        """Take what the meter says, from its task."""
        self._readings.append(reading)

    def due(self) -> Sequence[CurrentChunk]:
        """Return the messages whose samples are final by now, from where it stopped before."""
        # Before the readings are taken: those of later points may be among them, no others.
        final_ns = self._clock.now_ns() - self._settle_ns()
        while self._readings:
            self._samples.take(self._readings.popleft())
        ahead_ns = self._after_ns - final_ns
        if ahead_ns < -_LONGEST_NS or ahead_ns > _AHEAD_NS:
            # The clock leapt.
            self._after_ns = final_ns - (_LONGEST_NS if ahead_ns < 0 else 0)
        messages = meter_messages(
            PUBLISHED_SPEC, self._identity.furnace_id, self._after_ns, final_ns
        )
        if messages:
            self._after_ns = messages[-1][-1]
        self._show()
        return [self._chunk(times_ns) for times_ns in messages]

    def _settle_ns(self) -> int:
        return self._samples.settle_ns() + _HANDED_OVER_NS

    def _chunk(self, times_ns: Sequence[int]) -> CurrentChunk:
        values = np.stack([self._samples.sample(time_ns) for time_ns in times_ns])
        for sample in values:
            phases = int(np.isfinite(sample).sum())
            outcome = "none" if not phases else "good" if phases == PHASES else "partial"
            self._metrics.source_readings.labels(self._identity.furnace_id, outcome).inc()
            if phases:
                self._live.used()
        identity = replace(self._identity, sync=self._sync())
        self._identity = replace(identity, seq=identity.seq + len(values))
        return CurrentChunk(identity, times_ns[0], PUBLISHED_SPEC.sample_period_ns, values)

    def _sync(self) -> Sync:
        """Return how good the samples' times are, all that is not known of them included."""
        host_ns = host_error_ns()
        source = SyncSource.NTP if host_ns < UNKNOWN_NS else SyncSource.FREE
        return Sync(source, host_ns + self._samples.error_ns() + self._unknown_ns)

    def _show(self) -> None:
        time, lag_ns, sync = self._samples.time, self._samples.lag_ns(), self._sync()
        offset_ns = None if time is None else time.offset_ns
        is_off = time is not None and time.disagrees
        self._live.timed(
            SourceTiming(
                sync.source,
                sync.max_error_ns / NS_PER_S,
                None if lag_ns is None else lag_ns / NS_PER_S,
                clock_offset_s=None if offset_ns is None else offset_ns / NS_PER_S,
                findings=("meter_clock_disagrees",) if is_off else (),
            )
        )
        if offset_ns is None or is_off == self._disagrees:
            return
        self._disagrees = is_off
        structlog.get_logger().warning(
            "meter_clock_disagrees" if is_off else "meter_clock_agrees",
            furnace=self._identity.furnace_id,
            source=self._identity.source_id,
            offset_s=round(offset_ns / NS_PER_S, 3),
        )


@contextmanager
def live_meters(
    plant: PlantSources, outlet: Outlet[CurrentChunk], metrics: Metrics
) -> Iterator[Sequence[LiveSource]]:
    """Open the meters of a plant for as long as the context lasts.

    Parameters
    ----------
    plant
        Its sources.
    outlet
        Where their samples go.
    metrics
        Where their states are shown.
    """
    boot_id, store = secrets.token_hex(8), CredentialStore(plant.credentials_dir)
    sources: list[LiveSource] = []
    feeds: list[LiveMeterFeed] = []
    follows: list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]] = []
    for planned in plant.currents:
        live = LiveSource(name_of(planned, Modality.CURRENT), outlet.clock, metrics)
        sources.append(live)
        source = planned.source
        if source is None:
            live.misconfigured(planned.fault or "")
            continue
        identity = unsent(planned.furnace_id, source.source_id, boot_id)
        feed = LiveMeterFeed(identity, source, live, outlet.clock, metrics)
        feeds.append(feed)
        grid = sample_grid(PUBLISHED_SPEC, planned.furnace_id)
        opened = partial(open_meter, source, grid, store, outlet.clock)
        follows.append(partial(follow_meter, live, opened, feed.take))
    if not follows:  # a plant of cameras alone pays for no loop
        yield sources
        return
    with LoopThread("meters", partial(_attend, follows, feeds, outlet)):
        yield sources


async def _attend(
    follows: Sequence[Callable[[asyncio.Event], Coroutine[Any, Any, None]]],
    feeds: Sequence[LiveMeterFeed],
    outlet: Outlet[CurrentChunk],
) -> None:
    """Follow all meters and send their samples; the thread that runs this cancels it."""
    asyncio.get_running_loop().set_exception_handler(_note_library_error)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for follow in follows:
            tasks.create_task(follow(stop))
        try:
            while True:
                for feed in feeds:
                    for chunk in feed.due():
                        outlet.send(chunk)
                await asyncio.sleep(_LOOK_S)
        finally:
            # A library may swallow the cancellation of its task, which ends with the next reading.
            stop.set()


def _note_library_error(_loop: object, context: dict[str, Any]) -> None:
    """Note what a library lets fall in the loop: the source's loss is told by its own state."""
    error = redacted(repr(context.get("exception") or context.get("message")))
    structlog.get_logger().debug("meter_library_error", error=error)
