"""What a camera costs beside bare decoding: ``python -m tests.support.camera_cost``.

Both read the same recording, as fast as they can, in turn. Bare is PyAV's demuxing and decoding
alone. Ours is all that the producer does with a camera: event time, choice, picture, embedding and
record. What is printed are medians of processor time, as shares of a core while the camera is live.
"""

import statistics
import tempfile
import threading
import time
from pathlib import Path

import av
import numpy as np
import structlog
from meltwatch_chassis.metrics import Metrics
from meltwatch_producers.publication import unsent
from meltwatch_producers.wires import VIDEO_WIRE
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_source_producer.live import LiveFeed, Outlet
from meltwatch_source_producer.live_cameras import CameraConnection, CameraView
from meltwatch_sources.adapters.file import FileCamera
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Camera
from meltwatch_sources.supervisor import LiveSource, SourceName
from threadpoolctl import threadpool_limits

SECONDS, RATE, ROUNDS = 20, 25, 5
SIZES = {"640×360": (640, 360, 1_000_000), "1280×720": (1280, 720, 3_000_000)}


class Leap(threading.Event):
    """A clock and a stop in one: to wait is to leap."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ns = 1_800_000_000 * 10**9

    def now_ns(self) -> int:
        """Return the time that has been leapt to."""
        return self.at_ns

    monotonic_ns = now_ns

    def wait(self, timeout: float | None = None) -> bool:
        """Leap."""
        self.at_ns += int((timeout or 0) * 10**9)
        return self.is_set()


class Sent(list[OutgoingRecord]):
    """Where records go."""

    send = list.append

    def is_full(self) -> bool:
        """Return that there is room."""
        return False

    def is_idle(self) -> bool:
        """Return that nothing waits."""
        return True


def recording(path: Path, width: int, height: int, bit_rate: int) -> None:
    """Write a recording with noise that moves, so that it takes its bit rate."""
    chance = np.random.default_rng(1)
    noise = chance.integers(0, 256, (height * 2, width, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "tune": "zerolatency", "g": "15"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = bit_rate
        for number in range(SECONDS * RATE):
            picture = noise[number * 3 % height :][:height]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def bare(path: Path) -> float:
    """Return the processor time of decoding alone, seconds."""
    begun = time.process_time()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            packet.decode()
    return time.process_time() - begun


def ours(path: Path) -> float:
    """Return the processor time of all that the producer does, seconds."""
    source = VideoSource(source_id="cost", address=f"file:{path}")
    leap, metrics = Leap(), Metrics()
    live = LiveSource(SourceName("a/b/c", Modality.VIDEO, "cost", source.address), leap, metrics)
    records = Sent()
    outlet = Outlet(VIDEO_WIRE, "meltwatch.embeddings.v1", records, leap)
    feed = LiveFeed(unsent("a/b/c", "cost", "0" * 16), outlet)
    view = CameraView(source, feed, live, default_encoder(), metrics)
    opened: list[Camera] = []

    def camera() -> Camera:
        if opened:
            leap.set()
        opened.append(FileCamera(source, path.parent, leap))
        return opened[-1]

    begun = time.process_time()
    CameraConnection(source, camera, [view], leap, metrics).follow(leap)
    took = time.process_time() - begun
    assert len(records) >= SECONDS / 0.72 - 3, len(records)
    return took


def main() -> None:
    """Print a row a size."""
    threadpool_limits(1)  # as every service does
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    print("| stream | bare | ours | ratio |\n|---|---|---|---|")
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.mp4"
            recording(path, *size)
            pairs = [(bare(path), ours(path)) for _ in range(ROUNDS)]
        shares = [statistics.median(column) / SECONDS * 100 for column in zip(*pairs, strict=True)]
        ratio = statistics.median(our / own for own, our in pairs)
        print(f"| {name}, {RATE} fps | {shares[0]:.1f} % | {shares[1]:.1f} % | {ratio:.2f} |")


if __name__ == "__main__":
    main()
