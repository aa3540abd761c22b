"""Recordings as cameras: what is damaged is marked, colours are right, names tell times."""

import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace, VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.adapters.decoding import Decoding, FrameMaker
from meltwatch_sources.adapters.file import FileCamera, time_in_name
from meltwatch_sources.domain.picture import ColourRule
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Frame, SourceLost

from tests.support.camera_cost import Leap
from tests.support.cameras import drawn_ns, write_video

BEGIN_NS = 1_800_000_000 * NS_PER_S


def played(path: Path, **told: object) -> list[Frame]:
    source = VideoSource(source_id="file", address=f"file:{path.name}", **told)
    leap = Leap()
    return list(FileCamera(source, path.parent, leap).frames(leap))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_video(tmp_path / "furnace.mkv", BEGIN_NS, 60)
    return tmp_path / "furnace.mkv"


def test_frames_come_in_order_each_at_its_time(video: Path) -> None:
    frames = played(video)

    shown_ns = [drawn_ns(frame.picture(), BEGIN_NS) - BEGIN_NS for frame in frames]
    assert shown_ns == [number * NS_PER_S // 25 for number in range(60)]
    passed_ns = [frame.arrival_ns - frames[0].arrival_ns for frame in frames]
    assert np.abs(np.array(passed_ns) - np.array(shown_ns)).max() < NS_PER_S // 100
    assert not any(frame.is_damaged for frame in frames)


def test_what_rests_on_damage_is_damaged_until_the_next_key_frame(video: Path) -> None:
    with av.open(str(video)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        place, size = packets[20].pos, packets[20].size
    content = bytearray(video.read_bytes())
    content[place + size // 2 : place + size - 2] = b"\xaa" * (size - 2 - size // 2)
    video.write_bytes(content)

    marks = "".join("D" if frame.is_damaged else "." for frame in played(video))
    damaged = marks[:30]
    assert "D" in damaged
    assert damaged.rstrip("D") == "." * len(damaged.rstrip("D"))
    assert set(marks[30:]) == {"."}


def test_key_frames_alone_are_every_fifteenth(video: Path) -> None:
    frames = played(video, decode="key")

    assert [drawn_ns(frame.picture(), BEGIN_NS) - BEGIN_NS for frame in frames] == [
        number * NS_PER_S // 25 for number in (0, 15, 30, 45)
    ]


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 5000])
def test_what_is_no_recording_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)

    with pytest.raises(SourceLost) as error:
        played(tmp_path / "bad.mp4")
    assert str(error.value).isprintable()


def test_a_folder_without_times_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")

    with pytest.raises(SourceLost, match="times in their names"):
        list(
            FileCamera(
                VideoSource(source_id="file", address=f"file:{tmp_path}"), tmp_path, Leap()
            ).frames(threading.Event())
        )


@pytest.mark.parametrize(
    ("signalled", "matrix", "is_right"),
    [(1, None, True), (6, None, False), (6, "bt709", True), (1, "bt601", False)],
)
def test_colours_follow_the_stream_s_matrix_or_the_plant_file(
    signalled: int, matrix: str | None, is_right: bool
) -> None:
    rgb = np.full((64, 64, 3), (200, 60, 40), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709
    )
    frame.colorspace = signalled
    seen = Decoding("all", ColourRule(matrix)).picture(frame, VideoReformatter())

    assert (np.abs(seen[32, 32].astype(int) - (200, 60, 40)).max() <= 3) == is_right


@pytest.mark.parametrize(
    ("name", "told_ns"),
    [
        ("2026-11-29T09-30-00.250.jpg", 1_795_944_600_250_000_000),
        ("cam3_20261129_093000.png", 1_795_944_600_000_000_000),
        ("20261129093000123.jpg", 1_795_944_600_123_000_000),
        ("F3_1795944600250.jpg", 1_795_944_600_250_000_000),
        ("20261329_093000.png", None),
        ("picture-17.png", None),
    ],
)
def test_a_name_tells_its_time(name: str, told_ns: int | None) -> None:
    assert time_in_name(name) == told_ns


@given(st.text(max_size=40))
def test_no_name_is_too_strange(name: str) -> None:
    told_ns = time_in_name(name)

    assert told_ns is None or told_ns >= -62_135_596_800 * NS_PER_S


@given(st.integers(-(2**62), 2**62), st.integers(1, 10**6))
def test_ticks_are_ns_without_rounding_up(ticks: int, den: int) -> None:
    stream = SimpleNamespace(time_base=Fraction(1, den))
    maker = FrameMaker(Decoding("all", ColourRule()), stream, time.monotonic_ns)  # type: ignore[arg-type]

    assert maker.media_ns(ticks) == ticks * NS_PER_S // den
