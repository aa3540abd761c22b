"""Real RTSP servers for tests, and how to read the clock that they draw."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from meltwatch_local_cluster.servers.addresses import free_ports
from numpy.typing import NDArray

from tests.support.source import ROOT

SYSTEM_PYTHON = Path("/usr/bin/python3")
GST_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
)
GST_PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-ugly"
)
H265_PROBE = f"{GST_PROBE}; assert Gst.ElementFactory.find('x265enc')"
USER = "admin"
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of a camera that lives as long as a test
CELLS, CELL = 8, 16


def need_gstreamer(program: str = GST_PROBE, packages: str = GST_PACKAGES) -> None:
    """Skip a test where GStreamer's RTSP server is not installed, or what it needs beside it."""
    probe = [SYSTEM_PYTHON, "-c", program]
    if (
        not SYSTEM_PYTHON.exists()
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        pytest.skip(f"needs GStreamer's RTSP server: apt-get install {packages} (CI does)")


def built_gortsplib(folder: Path) -> Path:
    """Build the camera of another make; skip a test where there is no Go, or no library.

    What is there must build: a mistake of ours in it is no reason to skip.
    """
    if shutil.which("go") is None:
        pytest.skip("needs the foreign camera gortsplib: install Go (CI has it)")
    program = folder / "gortsplib_camera"
    source = ROOT / "tests" / "foreign" / "gortsplib"
    fetched = subprocess.run(
        ["go", "mod", "download"], cwd=source, capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"needs gortsplib 4.12.0 from the Go module proxy: {fetched.stderr[-200:]}")
    subprocess.run(["go", "build", "-o", program, "."], cwd=source, check=True)
    return program


class CameraServer:
    """A camera as a process, which may be killed, frozen and started again at its port."""

    def __init__(self, command: list[Any], ports: list[int], environ: Mapping[str, str]) -> None:
        self._ports = ports
        self._command = command
        self._environ = environ
        self.process = self._started()

    @property
    def url(self) -> str:
        """Where its picture is."""
        return f"rtsp://127.0.0.1:{self._ports[0]}/clock"

    @property
    def tls_url(self) -> str:
        """Where its picture is, if it speaks TLS."""
        return self.url.replace("rtsp:", "rtsps:")

    @property
    def locked_url(self) -> str:
        """Where the same picture is behind a login."""
        return f"rtsp://127.0.0.1:{self._ports[1]}/clock"

    def kill(self) -> None:
        """Kill it as a power cut does."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def freeze(self) -> None:
        """Stop it without closing a connection."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def restart(self, *options: str) -> None:
        """Start it again, with further options."""
        self.kill()
        self._command += options
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, env={**os.environ, **self._environ}
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the camera does not start"
        return process


@contextmanager
def gst_camera(*options: str) -> Iterator[CameraServer]:
    """A camera by GStreamer, whose sender reports are right."""
    need_gstreamer()
    ports = free_ports(2)
    script = ROOT / "tests" / "support" / "gst_camera.py"
    environ = {"CAMERA_USER": USER, "CAMERA_PASSWORD": PASSWORD}
    server = CameraServer([SYSTEM_PYTHON, script, *map(str, ports), *options], ports, environ)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def showing_camera(
    side: int, rate: int, seen: Callable[[], NDArray[np.uint8]], every_s: float
) -> Iterator[str]:
    """Give the address of a camera by GStreamer before a scene.

    Parameters
    ----------
    side, rate
        Of its square picture, and how many it sends a second.
    seen
        What is before it now, shape ``(side, side, 3)``; asked for every ``every_s``.
    """
    need_gstreamer()
    (port,) = free_ports(1)
    script = ROOT / "tests" / "support" / "gst_furnace.py"
    command = [str(SYSTEM_PYTHON), str(script), str(port), str(side), str(rate)]
    stop = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as camera:
        assert camera.stdin is not None
        assert camera.stdout is not None
        assert camera.stdout.readline() == b"ready\n"
        scene = camera.stdin

        def show() -> None:
            while not stop.wait(every_s):
                scene.write(seen().tobytes())
                scene.flush()

        showing = threading.Thread(target=show)
        showing.start()
        try:
            yield f"rtsp://127.0.0.1:{port}/furnace"
        finally:
            stop.set()
            showing.join()
            camera.kill()


@contextmanager
def gortsplib_camera(program: Path, *options: str) -> Iterator[CameraServer]:
    """A camera by gortsplib, whose sender reports are wrong."""
    ports = free_ports(1)
    server = CameraServer([program, "-port", str(ports[0]), *options], ports, {})
    try:
        yield server
    finally:
        server.kill()


def drawn_ns(picture: NDArray[np.uint8], near_ns: int) -> int:
    """Return the time that a camera has drawn, ns UTC.

    Parameters
    ----------
    picture
        Shape ``(height, width, 3)``: the whole picture, or what the model sees of its corner.
    near_ns
        A time within a day of it: the clock has no more bits than 64, and no doubt is left.
    """
    side = CELL if picture.shape[0] > CELLS * CELLS else CELLS
    corner = picture[: CELLS * side, : CELLS * side].mean(axis=2)
    greys = corner.reshape(CELLS, side, CELLS, side)[
        :, side // 4 : -side // 4, :, side // 4 : -side // 4
    ]
    bits = greys.mean(axis=(1, 3)).reshape(-1) > 127
    milliseconds = sum(1 << bit for bit, is_set in enumerate(bits) if is_set)
    assert abs(milliseconds * 1_000_000 - near_ns) < 86_400 * 10**9, "no clock in the picture"
    return milliseconds * 1_000_000


def drawn(now_ns: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture with a clock, as the cameras draw it."""
    bits = np.array(
        [now_ns // 1_000_000 >> bit & 1 for bit in range(CELLS * CELLS)], dtype=np.uint8
    )
    picture = np.full((height, width, 3), 126, dtype=np.uint8)
    corner = np.kron(bits.reshape(CELLS, CELLS) * 255, np.ones((CELL, CELL), dtype=np.uint8))
    picture[: CELLS * CELL, : CELLS * CELL] = corner[..., np.newaxis]
    return picture


def write_video(path: Path, begin_ns: int, frames: int, rate: int = 25) -> None:
    """Write a recording whose frames show the time at which they stand."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": "15", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 320, 176, "yuv420p"
        for number in range(frames):
            picture = drawn(begin_ns + number * 1_000_000_000 // rate, 176, 320)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_stills(folder: Path, times_ns: Sequence[int]) -> None:
    """Write pictures whose names and contents tell the same times."""
    folder.mkdir()
    for time_ns in times_ns:
        second = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
        name = f"F3_{second:%Y%m%d-%H%M%S}.{time_ns // 1_000_000 % 1000:03d}.png"
        picture = drawn(time_ns, 176, 320)
        av.VideoFrame.from_ndarray(picture, format="rgb24").save(str(folder / name))
