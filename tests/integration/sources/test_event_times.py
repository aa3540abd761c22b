"""Event times of frames beside the clock that is drawn in them: each claim is measured."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.chunk import SyncSource
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.adapters.rtsp import RtspCamera
from meltwatch_sources.domain.event_clock import (
    ClockFinding,
    ClockRule,
    EventClock,
    EventTime,
    FrameTimes,
    Rung,
)
from meltwatch_sources.plant import VideoSource

from tests.support.cameras import built_gortsplib, drawn_ns, gortsplib_camera, gst_camera

pytestmark = pytest.mark.integration
SECONDS = 32
HOST_NS = NS_PER_MS
"""This machine draws and reads: both clocks are one."""
DELAY = ClockRule("auto", 45 * NS_PER_MS, 30 * NS_PER_MS, is_delay_measured=True)


@dataclass(frozen=True)
class Watched:
    """What was seen of a camera: the error of each time, and the state of the clock at the end."""

    errors: list[tuple[int, EventTime]]
    clock: EventClock

    def errors_ms(self, rung: Rung, after: int = 0) -> np.ndarray:
        found = [error_ns for error_ns, time in self.errors[after:] if time.rung is rung]
        return np.array(found) / NS_PER_MS


def watch(url: str, rule: ClockRule) -> Watched:
    source = VideoSource(source_id="camera", address=url)
    clock, errors, stop = EventClock(rule), [], threading.Event()
    begun_ns = None
    for frame in RtspCamera(source, lambda: None, SystemClock()).frames(stop):
        begun_ns = begun_ns or frame.arrival_ns
        if frame.arrival_ns - begun_ns > SECONDS * NS_PER_S:
            break
        times = FrameTimes(frame.media_ns, frame.sender_ns, frame.arrival_ns, HOST_NS)
        time = None if frame.is_damaged else clock.stamp(times)
        if time is not None:
            errors.append((time.event_ns - drawn_ns(frame.picture(), frame.arrival_ns), time))
    return Watched(errors, clock)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Watched]]:
    """All cameras at a time: what they do takes real seconds."""
    program = built_gortsplib(tmp_path_factory.mktemp("gortsplib"))
    with ExitStack() as stack:
        enter = stack.enter_context
        cameras = {
            "right": enter(gst_camera()),
            "an hour off": enter(gortsplib_camera(program, "-offset", "1h")),
            "behind": enter(gortsplib_camera(program, "-offset", "-900ms")),
            "21 of 25": enter(gortsplib_camera(program, "-rate", "21")),
        }
        pool = enter(ThreadPoolExecutor(len(cameras)))
        futures = {name: pool.submit(watch, each.url, DELAY) for name, each in cameras.items()}
        return {name: future.result() for name, future in futures.items()}


def percentile(errors_ms: np.ndarray) -> float:
    return float(np.percentile(np.abs(errors_ms), 95))


def test_a_right_sender_is_followed_once_it_has_proved_right(watched: dict[str, Watched]) -> None:
    right = watched["right"]

    assert right.clock.findings == frozenset()
    assert right.errors[-1][1].rung is Rung.SENDER
    assert percentile(right.errors_ms(Rung.SENDER)) <= 60


@pytest.mark.parametrize("camera", ["right", "an hour off", "behind"])
def test_what_claims_the_host_s_time_is_right_within_60_ms(
    watched: dict[str, Watched], camera: str
) -> None:
    claimed = [
        error_ns / NS_PER_MS
        for error_ns, time in watched[camera].errors
        if time.sync.source == SyncSource.NTP
    ]

    assert len(claimed) > 20 * SECONDS // 2
    assert percentile(np.array(claimed)) <= 60


@pytest.mark.parametrize(("camera", "off_s"), [("an hour off", 3600), ("behind", -0.9)])
def test_a_sender_that_is_off_is_named_and_arrival_is_followed(
    watched: dict[str, Watched], camera: str, off_s: float
) -> None:
    off = watched[camera]

    assert off.clock.findings == {ClockFinding.SENDER_CLOCK_DISAGREES}
    assert {time.rung for _, time in off.errors} == {Rung.ARRIVAL}
    # The server's own fault takes up to a second more away.
    assert off.clock.sender_offset_ns is not None
    assert off_s - 1.1 < off.clock.sender_offset_ns / NS_PER_S < off_s + 0.1


def test_media_time_that_does_not_run_at_real_time_is_named_and_followed(
    watched: dict[str, Watched],
) -> None:
    drifting = watched["21 of 25"]

    assert ClockFinding.MEDIA_CLOCK_DRIFTS in drifting.clock.findings
    assert percentile(drifting.errors_ms(Rung.ARRIVAL, after=15 * 21)) < 300


def test_a_delay_that_was_not_measured_claims_nothing_by_arrival(
    watched: dict[str, Watched],
) -> None:
    rule = replace(DELAY, is_delay_measured=False)
    clock = EventClock(rule)
    times = [
        clock.stamp(FrameTimes(n * 40 * NS_PER_MS, None, n * 40 * NS_PER_MS, 0)) for n in range(50)
    ]

    assert {time.sync.source for time in times if time} == {SyncSource.FREE}
