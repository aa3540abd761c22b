"""Keeps live sources open: one line of the log for each change of state, never for an attempt.

A camera is a thread, a meter a task. Both open their source anew after each loss, and neither
holds up another one.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.credentials import redacted
from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.domain.supervision import (
    STUCK_NS,
    LiveState,
    Loss,
    StateChange,
    Supervision,
)
from meltwatch_sources.ports import Camera, Frame, Meter, SourceLost
from meltwatch_sources.source_report import SourceArrivals, SourceReport, SourceTiming, age_s

_LOOK_S: Final = 1.0
SILENT_NS: Final = {Modality.VIDEO: 2 * NS_PER_S, Modality.CURRENT: 2 * NS_PER_S}


@dataclass(frozen=True, slots=True)
class SourceName:
    """Which source it is, as logs and metrics say it.

    Attributes
    ----------
    furnace_id, modality
        What it shows.
    source_id
        What records call it.
    address
        Where it is, without a login.
    credentials
        Name of its login, if it has one.
    """

    furnace_id: str
    modality: Modality
    source_id: str
    address: str
    credentials: str | None = None


class LiveSource:
    """The state of one source, told to log and metrics, and asked by health.

    Its own thread or task says what happens; any other may say that time passes.

    Parameters
    ----------
    name
        Which source it is.
    clock
        Gives monotonic time.
    metrics
        Where the state is shown.
    """

    def __init__(self, name: SourceName, clock: Clock, metrics: Metrics) -> None:
        self.name = name
        self._clock = clock
        self._metrics = metrics
        self._supervision = Supervision(SILENT_NS[name.modality], since_ns=clock.monotonic_ns())
        self._lock = threading.Lock()
        self._moved_ns = clock.monotonic_ns()
        self._is_told = False
        self._fault = ""
        self._arrivals = SourceArrivals()
        self._timing: SourceTiming | None = None
        self._show(self._supervision.state)

    @property
    def state(self) -> LiveState:
        """The present state."""
        return self._supervision.state

    def opening(self) -> None:
        """Say that the source is being opened."""
        before = self._supervision.reconnects
        self._step(self._supervision.opening)
        if self._supervision.reconnects > before:
            self._metrics.source_reconnects.labels(*self._labels).inc()

    def delivered(self) -> None:
        """Say that something came."""
        self._step(self._supervision.delivered)
        self._arrivals.came(self._moved_ns)

    def used(self) -> None:
        """Say that what came has become a record."""
        self._arrivals.used_ns = self._clock.monotonic_ns()

    def timed(self, timing: SourceTiming) -> None:
        """Say how good its times are at present."""
        self._timing = timing
        furnace_id, modality = self._labels
        if timing.delay_s is not None:
            self._metrics.source_delay.labels(furnace_id, modality).set(timing.delay_s)
        if timing.clock_offset_s is not None:
            offset = self._metrics.source_clock_offset.labels(furnace_id, modality)
            offset.set(timing.clock_offset_s)

    def useless(self, why: str) -> None:
        """Say that something came that holds no value, and why."""
        self._step(lambda now_ns: self._supervision.useless(why, now_ns))

    def moved(self) -> None:
        """Say that its thread or task still goes round."""
        self._moved_ns = self._clock.monotonic_ns()

    def looked(self) -> None:
        """Say that time has passed: whoever else goes round says it."""
        with self._lock:
            change = self._supervision.looked(self._clock.monotonic_ns())
        self._tell(change)

    def lost(self, error: SourceLost) -> float:
        """Say that the source is lost and return for how many seconds to wait."""
        chance = random.random()  # noqa: S311 - jitter, no secret
        self._step(lambda now_ns: self._supervision.lost(error.loss, error.why, now_ns, chance))
        return self._supervision.wait_ns / NS_PER_S

    def misconfigured(self, fault: str) -> None:
        """Say that what the source is told is wrong: until it is opened again nothing is used."""
        self._step(lambda now_ns: self._supervision.misconfigured(fault, now_ns))

    def progress(self) -> str | None:
        """Return None while its thread or task goes round, else one line."""
        silent_ns = self._clock.monotonic_ns() - self._moved_ns
        if self.state is LiveState.MISCONFIGURED or silent_ns < STUCK_NS:
            return None
        return f"{self._shown}: expected a step every 30 s, none for {silent_ns // NS_PER_S} s"

    def readiness(self) -> str | None:
        """Return None once the source had its first state, else one line."""
        return None if self._is_told else f"{self._shown}: expected its first state by now"

    def warning(self) -> str | None:
        """Return one line while nothing comes from the source, else None."""
        if self.state is LiveState.RUNNING:
            return None
        since = (self._clock.monotonic_ns() - self._supervision.since_ns) // NS_PER_S
        return f"{self._shown}: {self.state.name.lower()} for {since} s {self._fault}".rstrip()

    def report(self) -> SourceReport:
        """Return all that is known of it now; any thread may ask."""
        self.looked()
        now_ns, supervision, arrivals = (
            self._clock.monotonic_ns(),
            self._supervision,
            self._arrivals,
        )
        return SourceReport(
            self.name.furnace_id,
            self.name.modality.value,
            self.name.source_id,
            self.name.address,
            self.name.credentials,
            self.state.name.lower(),
            age_s(supervision.since_ns, now_ns) or 0.0,
            self._fault,
            supervision.reconnects,
            age_s(arrivals.newest_ns, now_ns),
            age_s(arrivals.used_ns, now_ns),
            arrivals.rate_hz(now_ns),
            self._timing,
        )

    @property
    def _labels(self) -> tuple[str, str]:
        return self.name.furnace_id, self.name.modality.value

    @property
    def _shown(self) -> str:
        return f"{self.name.modality.value} of {self.name.furnace_id}"

    def _step(self, step: Callable[[int], StateChange | None]) -> None:
        self.moved()
        with self._lock:
            change = step(self._moved_ns)
        self._tell(change)

    def _tell(self, change: StateChange | None) -> None:
        if change is None:
            return
        self._is_told = True
        self._show(change.after)
        self._fault = change.why
        log = structlog.get_logger()
        say = log.info if change.after in {LiveState.RUNNING, LiveState.CONNECTING} else log.warning
        say(
            "source_" + change.after.name.lower(),
            furnace=self.name.furnace_id,
            modality=self.name.modality.value,
            source=self.name.source_id,
            address=self.name.address,
            before=change.before.name.lower(),
            why=change.why,
        )

    def _show(self, state: LiveState) -> None:
        self._metrics.source_state.labels(*self._labels).set(state)


def follow_camera(
    sources: Sequence[LiveSource],
    opened: Callable[[], Camera],
    take: Callable[[Frame], None],
    ended: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Take what a camera gives, opened anew after each loss, until told to stop.

    Parameters
    ----------
    sources
        Of the furnaces that it shows: told of each step.
    opened
        Makes the camera.
    take
        Gets each frame.
    ended
        Called after each loss.
    stop
        Set from outside.
    """
    while not stop.is_set():
        for live in sources:
            live.opening()
        try:
            for frame in opened().frames(stop):
                for live in sources:
                    live.delivered()
                take(frame)
            loss = SourceLost("the stream ended", Loss.ENDED)
        except SourceLost as error:
            loss = error
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends no thread
            loss = SourceLost(f"the camera's library failed: {redacted(repr(error))}")
        ended()
        left_s = 0.0 if stop.is_set() else max(live.lost(loss) for live in sources)
        while left_s > 0 and not stop.wait(min(left_s, _LOOK_S)):
            for live in sources:
                live.moved()
            left_s -= _LOOK_S


async def follow_meter(
    live: LiveSource,
    opened: Callable[[], Meter],
    take: Callable[[MeterReading], None],
    stop: asyncio.Event,
) -> None:
    """Take what a meter gives, opened anew after each loss, until told to stop.

    The parameters are those of ``follow_camera``.
    """
    while not stop.is_set():
        live.opening()
        try:
            async for reading in opened().readings(stop):
                live.moved()
                if reading.has_value:
                    live.delivered()
                elif reading.phases:
                    live.useless(reading.quality)
                take(reading)
            loss = SourceLost("the meter's answers ended", Loss.ENDED)
        except SourceLost as error:
            loss = error
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends no task
            loss = SourceLost(f"the meter's library failed: {redacted(repr(error))}")
        left_s = 0.0 if stop.is_set() else live.lost(loss)
        while left_s > 0 and not stop.is_set():
            await asyncio.sleep(min(left_s, _LOOK_S))
            live.moved()
            left_s -= _LOOK_S
