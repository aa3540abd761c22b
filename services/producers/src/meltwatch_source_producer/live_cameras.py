"""Cameras of a plant file: a thread for each connection, and a view of it for each furnace."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.metrics import Metrics
from meltwatch_producers.publication import unsent
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder, default_encoder
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_sources.adapters.cameras import camera_of, clock_rule, connection_of, picture_rule
from meltwatch_sources.adapters.host_clock import host_error_ns
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.domain.event_clock import (
    ClockFinding,
    EventClock,
    EventTime,
    FrameTimes,
)
from meltwatch_sources.domain.picture import CropOutside
from meltwatch_sources.domain.stride_sampler import StrideSampler
from meltwatch_sources.plant import PlantSources, VideoSource
from meltwatch_sources.ports import Camera, Frame
from meltwatch_sources.source_report import SourceTiming
from meltwatch_sources.supervisor import LiveSource, follow_camera

from meltwatch_source_producer.live import LiveFeed, Outlet, name_of

_STOP_S: Final = 6.0
_SHOW_NS: Final = 1 * NS_PER_S
_OUTCOMES: Final = ("used", "skipped", "damaged")


class CameraView:
    """What one furnace sees of a camera.

    Parameters
    ----------
    source
        Says which part of the picture shows the furnace.
    feed, live
        Where its frames go, and its state.
    encoder
        How they are embedded.
    metrics
        Where they are counted.
    """

    def __init__(
        self,
        source: VideoSource,
        feed: LiveFeed[EmbeddingChunk],
        live: LiveSource,
        encoder: Encoder,
        metrics: Metrics,
    ) -> None:
        self.live = live
        self._feed = feed
        self._encoder = encoder
        self._counts = {
            outcome: metrics.source_frames.labels(live.name.furnace_id, outcome)
            for outcome in _OUTCOMES
        }
        self._rule = picture_rule(source)
        self._sampler: StrideSampler[tuple[Frame, EventTime]] = StrideSampler(
            PUBLISHED_SPEC.frame_instants(live.name.furnace_id)
        )

    def take(self, frame: Frame, time: EventTime) -> None:
        """Take the next frame; the one before is used if it was the last before an instant."""
        chosen = self._sampler.take(time.event_ns, (frame, time))
        if chosen is None:
            self.count("skipped")
        else:
            self._use(*chosen[1])

    def end(self) -> None:
        """Use the frame that is held: no other one comes before its instant."""
        if chosen := self._sampler.due(2**63):
            self._use(*chosen[1])

    def count(self, outcome: str) -> None:
        """Count a frame."""
        self._counts[outcome].inc()

    def _use(self, frame: Frame, time: EventTime) -> None:
        try:
            seen = self._rule.seen(frame.picture())
        except CropOutside as error:
            self.live.misconfigured(str(error))
            self.count("skipped")
            return
        self._feed.put(
            EmbeddingChunk(
                replace(self._feed.identity, sync=time.sync),
                np.array([time.event_ns], dtype=np.int64),
                self._encoder.encoder_id,
                self._encoder.encode(seen[np.newaxis])[np.newaxis, 0],
            )
        )
        self.count("used")
        self.live.used()


class CameraConnection:
    """One camera, opened and decoded once for all furnaces that it shows.

    Parameters
    ----------
    source
        What the plant file says of the connection.
    camera
        Makes the camera, each time anew.
    views
        Of the furnaces.
    clock
        Gives time.
    metrics
        Where its clock is shown.
    """

    def __init__(
        self,
        source: VideoSource,
        camera: Callable[[], Camera],
        views: Sequence[CameraView],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._source = source
        self._camera = camera
        self._views = views
        self._clock = clock
        self._metrics = metrics
        self._events = EventClock(clock_rule(source))
        self._findings: frozenset[ClockFinding] = frozenset()
        self._shown_ns = 0
        self._host_error_ns = host_error_ns()

    def follow(self, stop: threading.Event) -> None:
        """Take what the camera gives until told to stop."""
        sources = [view.live for view in self._views]
        follow_camera(sources, self._opened, self._take, self._ended, stop)

    def _opened(self) -> Camera:
        self._events.reopened()
        return self._camera()

    def _ended(self) -> None:
        for view in self._views:
            view.end()

    def _take(self, frame: Frame) -> None:
        time = None
        if not frame.is_damaged:
            time = self._events.stamp(
                FrameTimes(frame.media_ns, frame.sender_ns, frame.arrival_ns, self._host_error_ns)
            )
        for view in self._views:
            if time is None:
                view.count("damaged" if frame.is_damaged else "skipped")
            else:
                view.take(frame, time)
        if time is not None and self._clock.monotonic_ns() - self._shown_ns >= _SHOW_NS:
            self._show(time, frame.arrival_ns)

    def _show(self, time: EventTime, arrival_ns: int) -> None:
        self._shown_ns = self._clock.monotonic_ns()
        self._host_error_ns = host_error_ns()
        findings, offset_ns = self._events.findings, self._events.sender_offset_ns
        timing = SourceTiming(
            time.sync.source,
            time.sync.max_error_ns / NS_PER_S,
            (arrival_ns - time.event_ns) / NS_PER_S,
            time.rung.name.lower(),
            None if offset_ns is None else offset_ns / NS_PER_S,
            tuple(sorted(findings)),
        )
        for view in self._views:
            view.live.timed(timing)
            self._metrics.source_clock_rung.labels(view.live.name.furnace_id).set(time.rung)
        if findings != self._findings:
            self._findings = findings
            structlog.get_logger().warning(
                "camera_clock_judged",
                address=self._source.address,
                furnaces=[view.live.name.furnace_id for view in self._views],
                findings=sorted(findings),
                sender_offset_s=None if offset_ns is None else round(offset_ns / NS_PER_S, 3),
                rung=time.rung.name.lower(),
            )


@contextmanager
def live_cameras(
    plant: PlantSources, outlet: Outlet[EmbeddingChunk], metrics: Metrics
) -> Iterator[Sequence[LiveSource]]:
    """Open the cameras of a plant for as long as the context lasts.

    Parameters
    ----------
    plant
        Its sources.
    outlet
        Where their frames go.
    metrics
        Where their states are shown.
    """
    clock = outlet.clock
    boot_id, encoder = secrets.token_hex(8), default_encoder()
    store = CredentialStore(plant.credentials_dir)
    sources = []
    views: dict[VideoSource, list[CameraView]] = {}
    for planned in plant.videos:
        live = LiveSource(name_of(planned, Modality.VIDEO), clock, metrics)
        sources.append(live)
        source = planned.source
        if source is None:
            live.misconfigured(planned.fault or "")
            continue
        feed = LiveFeed(unsent(planned.furnace_id, source.source_id, boot_id), outlet)
        view = CameraView(source, feed, live, encoder, metrics)
        views.setdefault(connection_of(source), []).append(view)
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=CameraConnection(
                source, partial(camera_of, source, plant.folder, store, clock), seen, clock, metrics
            ).follow,
            args=(stop,),
            name=f"camera {seen[0].live.name.source_id}",
            # One that hangs inside of a library holds up no end of the process.
            daemon=True,
        )
        for source, seen in views.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield sources
    finally:
        stop.set()
        for thread in threads:
            thread.join(_STOP_S)
