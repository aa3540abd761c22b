"""A disk that is full, and files that are none: one line, and what is there stays readable."""

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.adapters.pages import rendered
from meltwatch_backtester.adapters.recording_history import open_recording
from meltwatch_backtester.adapters.result_folder import ALARMS, ResultFolder
from meltwatch_backtester.errors import BrokenRecording
from meltwatch_backtester.ports import OffsetRange, TopicPart
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.recording.manifest import Manifest
from meltwatch_chassis.recording.segment_codec import unpack_records
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.topics import Topic

from tests.support.builders import alarm_record, window_score

ROOM = 48 * 1024
PART = TopicPart(Topic.EMBEDDINGS, 0)
RECORDS = [RawRecord("p.embeddings.v1", 0, n, n, b"f", bytes(10_000), ()) for n in range(9)]
ALARMS_OF_A_DAY = [alarm_record(seq=number) for number in range(100)]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Have the kernel refuse every byte of a file beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refusal_of(act: Callable[[], object], room: int = ROOM) -> str:
    """Do something on a disk that is nearly full, and return the line that it ends with."""
    said = "expected a folder that can be written"
    with pytest.raises(BadUsage, match=said) as error, room_for(room):
        act()
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_a_backtest_has_written_stays_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with ResultFolder(folder) as results:
        results.alarms(ALARMS, ALARMS_OF_A_DAY[:1])
        results.finish({"from": "a"}, {})
        before = (folder / ALARMS).read_bytes()

        assert str(folder) in refusal_of(lambda: results.alarms(ALARMS, ALARMS_OF_A_DAY))

    assert json.loads((folder / "run.json").read_bytes()) == {"from": "a"}
    assert (folder / ALARMS).read_bytes() == before
    assert not list(folder.glob("*.draft"))


def test_windows_that_do_not_fit_are_one_line_and_the_folder_is_let_go(tmp_path: Path) -> None:
    def replay() -> None:
        with ResultFolder(tmp_path / "run") as results:
            for number in range(1000):
                results.window(window_score(number), None, None, is_late=False)
            results.finish({}, {})

    refusal_of(replay)

    lines = (tmp_path / "run" / "windows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines[:-1]]
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_recording_that_does_not_fit_is_none_and_its_segments_are_whole(tmp_path: Path) -> None:
    sink = RecordingWriter(tmp_path / "new", segment_bytes=45_000)
    refusal_of(lambda: sink.write(PART, OffsetRange(0, 9), RECORDS), room=20_000)
    with pytest.raises(BrokenRecording, match="expected a finished recording"):
        open_recording(tmp_path / "new")

    with room_for(ROOM):
        part = RecordingWriter(tmp_path / "fits", 45_000).write(PART, OffsetRange(0, 9), RECORDS)
    for segment in part.segments:
        data = (tmp_path / "fits" / segment.file).read_bytes()
        assert len(list(unpack_records(data, "p.embeddings.v1", 0))) == segment.records


def test_a_device_that_is_full_is_one_line() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), "text")
    assert Path("/dev/full").is_char_device(), "a device is no file to be replaced"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_manifest_that_is_no_file_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "manifest.json")

    with pytest.raises(BrokenRecording, match="expected a finished recording"):
        open_recording(tmp_path)


def recorded(folder: Path) -> Path:
    sink = RecordingWriter(folder)
    part = sink.write(PART, OffsetRange(0, 9), RECORDS)
    fields = {"topic_prefix": "p", "partitions": 1, "recorded_partitions": [0], "partial": False}
    times = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:10:00Z"}
    sink.finish(Manifest.model_validate(fields | times | {"parts": [part]}))
    return folder / part.segments[0].file


def test_a_segment_that_is_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    segment = recorded(tmp_path / "recording")
    segment.rename(tmp_path / "elsewhere")
    segment.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BrokenRecording, match="got a link out of it"):
        list(open_recording(tmp_path / "recording").read(PART, 0, 9))


@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4))
def test_a_damaged_manifest_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "recording"
    if not folder.exists():
        recorded(folder)
        (folder / "manifest.json").rename(folder / "good")
    content = bytearray((folder / "good").read_bytes())
    for where, value in changes:
        content[int(where * len(content))] = value
    (folder / "manifest.json").write_bytes(content)

    said = ""
    try:
        history = open_recording(folder)
        history.start_at(PART, 5_000_000)
        list(history.read(PART, 0, 9))
    except BrokenRecording as error:
        said = str(error)

    assert "\n" not in said


@given(text=st.text(st.characters(codec="utf-8")))
def test_a_page_holds_no_character_that_no_person_can_see(text: str) -> None:
    hostile = f"{text}\x1b[2J\u202e<script>"

    page = rendered("{{ text }}", {"text": hostile}, {})

    assert is_printable(page)
    assert "<script>" not in page
