"""Watches a camera for some seconds, for a check: what came, and how it looked."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.adapters.cameras import camera_of, clock_rule, picture_rule
from meltwatch_sources.adapters.host_clock import host_error_ns
from meltwatch_sources.adapters.qr_code import read_code
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.domain.event_clock import EventClock, EventTime, FrameTimes
from meltwatch_sources.domain.finding import SourceFinding
from meltwatch_sources.domain.picture_check import PictureReference, PictureWatch
from meltwatch_sources.domain.shown_clock import ShownClock
from meltwatch_sources.domain.stream_check import (
    CameraClock,
    StreamFigures,
    StreamFrame,
    judged_clock,
    judged_stream,
)
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Frame, Picture, SourceLost

_PICTURE_NS: Final = NS_PER_S // 5
_MOST_PICTURES: Final = 300
_LEAST_FRAMES: Final = 2


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """What opens cameras.

    Attributes
    ----------
    folder
        Where relative files begin.
    store
        Where logins are.
    clock
        Of the host.
    """

    folder: Path
    store: CredentialStore
    clock: Clock


@dataclass(frozen=True, slots=True)
class WatchedCamera:
    """What was seen of one camera.

    Attributes
    ----------
    stream
        In numbers.
    clock
        At the end.
    codec, title
        As the camera says them; escape them before they are shown.
    newest
        The last frame that was looked at, and its event time; None if none could be stamped.
    delay_s
        From event time to arrival of that frame.
    first_picture_s
        From opening to the first frame.
    pictures
        One watch for each furnace that it shows, in the order that was asked for.
    shown
        What was read of a clock that was held before it.
    lost
        Why it ended before its time; empty if it did not.
    """

    stream: StreamFigures
    clock: CameraClock
    codec: str
    title: str
    newest: tuple[Picture, EventTime] | None
    delay_s: float | None
    first_picture_s: float
    pictures: tuple[PictureWatch, ...]
    shown: ShownClock
    lost: str = ""

    def findings(
        self, number: int, source: VideoSource, reference: PictureReference | None = None
    ) -> list[SourceFinding]:
        """Return what is wrong with one furnace's view, and what could not be checked.

        Parameters
        ----------
        number
            Its place among those that were asked for.
        source
            What the plant file says of it.
        reference
            What was kept when it was accepted.
        """
        advice = "look at the network and the camera's power; how many clients does it allow?"
        lost = [SourceFinding("connection_lost", self.lost, advice)] if self.lost else []
        return [
            *lost,
            *self.pictures[number].findings(reference),
            *judged_stream(self.stream, source.decode),
            *judged_clock(self.clock, source.clock),
        ]


class _Watch:
    """Takes the frames of one camera."""

    def __init__(self, sources: Sequence[VideoSource], seconds: float) -> None:
        self.frames: list[StreamFrame] = []
        rule = clock_rule(sources[0])
        self.events = EventClock(rule)
        self.shown = ShownClock(rule.camera_delay_ns)
        self.host_ns = host_error_ns()
        self.pictures = tuple(PictureWatch(picture_rule(source)) for source in sources)
        self.newest: tuple[Picture, EventTime] | None = None
        self.delay_ns: int | None = None
        self._every_ns = max(_PICTURE_NS, int(seconds * NS_PER_S / _MOST_PICTURES))
        self._looked_ns = 0

    def take(self, frame: Frame) -> None:
        """Take the next frame; only some are converted."""
        self.frames.append(
            StreamFrame(frame.media_ns, frame.arrival_ns, frame.is_key, frame.is_damaged)
        )
        if frame.is_damaged:
            return
        times = FrameTimes(frame.media_ns, frame.sender_ns, frame.arrival_ns, self.host_ns)
        time = self.events.stamp(times)
        if time is None or frame.arrival_ns - self._looked_ns < self._every_ns:
            return
        self._looked_ns = frame.arrival_ns
        picture = frame.picture()
        self.newest, self.delay_ns = (picture, time), frame.arrival_ns - time.event_ns
        self.shown.take(read_code(picture), time.event_ns)
        for watch in self.pictures:
            watch.take(picture, time.event_ns)


def watch_camera(
    sources: Sequence[VideoSource],
    place: CameraPlace,
    seconds: float,
) -> WatchedCamera:
    """Watch one camera for some seconds, from its first frame on.

    Parameters
    ----------
    sources
        The furnaces that it shows: their addresses are one.
    place
        What opens it.
    seconds
        For how long.

    Raises
    ------
    SourceLost
        If nothing can be seen of it; nothing is known of it then.
    """
    watch = _Watch(sources, seconds)
    camera = camera_of(sources[0], place.folder, place.store, place.clock)
    opened_ns = place.clock.monotonic_ns()
    first_ns: int | None = None
    why: SourceLost | None = SourceLost("the stream ended")
    stop = threading.Event()
    try:
        # Told to stop it ends by itself, and its connection with it.
        for frame in camera.frames(stop):
            now_ns = place.clock.monotonic_ns()
            first_ns = now_ns if first_ns is None else first_ns
            if not stop.is_set():
                watch.take(frame)
            if now_ns - first_ns >= seconds * NS_PER_S:
                why = None
                stop.set()
    except SourceLost as error:
        why = error if not stop.is_set() else None
    if len(watch.frames) < _LEAST_FRAMES or first_ns is None:
        raise why or SourceLost("expected frames, got a single one")
    is_recording = sources[0].where.scheme == "file"  # it ends, and begins again
    newest = watch.newest
    return WatchedCamera(
        StreamFigures.of(watch.frames),
        CameraClock(
            newest[1].rung if newest else None,
            watch.events.sender_offset_ns,
            watch.events.findings,
            watch.host_ns,
        ),
        camera.codec,
        camera.title,
        newest,
        None if watch.delay_ns is None else watch.delay_ns / NS_PER_S,
        (first_ns - opened_ns) / NS_PER_S,
        watch.pictures,
        watch.shown,
        "" if why is None or is_recording else why.why,
    )
