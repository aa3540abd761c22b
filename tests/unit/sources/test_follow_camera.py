"""A camera is opened anew after whatever happens, and a reader that is behind catches up."""

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.adapters.decoding import Decoding, FrameMaker
from meltwatch_sources.domain.picture import ColourRule
from meltwatch_sources.domain.stride_sampler import Backlog
from meltwatch_sources.domain.supervision import LiveState, Loss
from meltwatch_sources.ports import Camera, Frame, SourceLost
from meltwatch_sources.supervisor import LiveSource, SourceName, follow_camera

from tests.support.cameras import write_video

FRAME = Frame(lambda: None, 0, None, 0, is_key=True, is_damaged=False)  # type: ignore[arg-type, return-value]  # nobody looks


class Played:
    """A camera that gives so many frames and ends as it is told."""

    def __init__(self, frames: int, end: Exception | None) -> None:
        self.given, self.end = frames, end

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        for _ in range(self.given):
            yield FRAME
        if self.end is not None:
            raise self.end


class Hurried(threading.Event):
    """A stop whose waits pass at once, and are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s += timeout or 0
        return self.is_set()


def followed(*lives: Camera | Exception) -> tuple[int, int, Metrics, float, LiveSource]:
    """Return how many frames were taken, how often one ended, and what is told of it."""
    clock, metrics, stop = ManualClock(1), Metrics(), Hurried()
    source = LiveSource(SourceName("a/b/c", Modality.VIDEO, "cam", "rtsp://h"), clock, metrics)
    left, taken, ended = list(lives), [0], [0]

    def opened() -> Camera:
        if not left:
            stop.set()
            return Played(0, None)
        camera = left.pop(0)
        if isinstance(camera, Exception):
            raise camera
        return camera

    def take(_: Frame) -> None:
        taken[0] += 1

    def end() -> None:
        ended[0] += 1

    follow_camera([source], opened, take, end, stop)
    return taken[0], ended[0], metrics, stop.waited_s, source


def test_whatever_ends_a_camera_it_is_opened_anew() -> None:
    taken, ended, metrics, _, source = followed(
        Played(3, None),
        Played(2, SourceLost("gone")),
        Played(1, RuntimeError("a bug of the library: rtsp://u:secret@h")),
        MemoryError(),
        SourceLost("no login yet"),
        Played(4, KeyError("x")),
    )

    assert (taken, ended) == (10, 7)
    name = "meltwatch_source_reconnects_total"
    labels = {"furnace": "a/b/c", "modality": "video"}
    assert metrics.registry.get_sample_value(name, labels) == 6
    assert source.state in {LiveState.WAITING, LiveState.RUNNING}


def test_an_error_of_a_library_is_told_without_the_login() -> None:
    *_, source = followed(Played(1, RuntimeError("rtsp://u:secret@h failed")))

    assert "failed" in (source.warning() or "")
    assert "secret" not in (source.warning() or "")


def test_a_refused_login_is_waited_for_a_minute() -> None:
    *_, waited_s, _ = followed(SourceLost("401", Loss.REFUSED))

    assert waited_s >= 60


def test_packets_without_a_picture_for_20_s_are_a_loss_that_says_what_to_set(
    tmp_path: Path,
) -> None:
    write_video(tmp_path / "a.mkv", 1_800_000_000 * NS_PER_S, 30)
    clock = ManualClock(1)
    with av.open(str(tmp_path / "a.mkv")) as container:
        stream = container.streams.video[0]
        maker = FrameMaker(Decoding("all", ColourRule()), stream, clock.monotonic_ns)
        packets = [packet for packet in container.demux(video=0) if not packet.is_keyframe]

        def decode_slowly() -> None:
            for packet in packets:
                clock.advance(2 * NS_PER_S)
                list(maker.decoded(packet, 0))

        with pytest.raises(SourceLost, match="key frame"):
            decode_slowly()


def behind(reader_ns: int, camera_ns: int, stamped_ns: int, seconds: int) -> bool:
    """Read a camera's packets, each of which takes a time; say whether some are passed over."""
    backlog, arrival_ns = Backlog(), 1_800_000_000 * NS_PER_S
    begun_ns = arrival_ns
    for number in range(seconds * NS_PER_S // max(reader_ns, camera_ns)):
        there_ns = begun_ns + number * camera_ns
        waited_ns = max(0, there_ns - arrival_ns)
        arrival_ns = max(there_ns, arrival_ns)
        if backlog.is_behind(number * stamped_ns, arrival_ns, waited_ns):
            return True
        arrival_ns += reader_ns
    return False


def test_a_reader_slower_than_its_camera_is_behind() -> None:
    assert behind(80 * NS_PER_MS, 40 * NS_PER_MS, 40 * NS_PER_MS, 10)
    assert behind(44 * NS_PER_MS, 40 * NS_PER_MS, 40 * NS_PER_MS, 30)


def test_a_camera_whose_media_time_runs_slowly_is_not_behind() -> None:
    assert not behind(20 * NS_PER_MS, 48 * NS_PER_MS, 40 * NS_PER_MS, 120)
    assert not behind(30 * NS_PER_MS, 40 * NS_PER_MS, 40 * NS_PER_MS, 120)
