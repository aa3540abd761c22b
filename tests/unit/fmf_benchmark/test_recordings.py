import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from meltwatch_fmf_benchmark import FormatError, open_recordings

from tests.support import fmf_files

NAME = "SaveToAvi-4-19-21_40_52-6002"
MS = 1_000_000


def refusal(folder: Path) -> str:
    with pytest.raises(FormatError) as error, open_recordings(folder):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return fmf_files.write_second_layout(tmp_path, splits={"train": range(150), "test": [160, 155]})


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return fmf_files.write_first_layout(tmp_path)


@pytest.fixture(params=["first", "second"])
def either(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return] # a Path


def test_pictures_and_masks_come_out_upright_in_any_order(either: Path) -> None:
    video, masks = fmf_files.pictures(250)
    index = np.array([70, 3, 3, 249])

    with open_recordings(either) as (recording,):
        assert np.array_equal(recording.pictures.frames(index), video[index])
        assert np.array_equal(recording.pictures.masks(index), masks[index] > 0)


def test_both_layouts_have_frames_at_25_and_samples_at_2_a_second(either: Path) -> None:
    with open_recordings(either) as (recording,):
        assert np.array_equal(recording.frame_times_ns, np.arange(250) * 40 * MS)
        late_ns = recording.currents.times_ns - np.arange(20) * 500 * MS
        # Half a second is 12.5 frames: the first layout's sample is seen at the 13th.
        assert set(late_ns.tolist()) == ({0, 20 * MS} if "batch" in recording.name else {0})
        assert np.array_equal(recording.frame_seconds, np.arange(250) // 25)
        assert np.array_equal(recording.currents.samples, fmf_files.amperes(20))


def test_splits_are_as_the_files_tell_them(second: Path) -> None:
    with open_recordings(second) as (recording,):
        assert recording.name == NAME
        assert recording.split("test").tolist() == [160, 155]
        assert recording.split("train").tolist() == list(range(150))


def test_the_first_layout_tells_its_split_in_the_file(first: Path) -> None:
    with open_recordings(first) as (recording,):
        assert recording.split("test").tolist() == list(range(150, 250))
        assert recording.split("train").tolist() == list(range(150))


def test_without_split_files_a_recording_can_be_read_but_not_split(tmp_path: Path) -> None:
    said = r"6002\.mat: expected its test split"
    folder = fmf_files.write_second_layout(tmp_path)

    with open_recordings(folder) as (recording,), pytest.raises(FormatError, match=said):
        recording.split("test")


def test_frames_of_a_first_second_that_had_begun_are_its_last(tmp_path: Path) -> None:
    fmf_files.write_second_layout(tmp_path, first_second_frames=10)

    with open_recordings(tmp_path) as (recording,):
        assert recording.frame_times_ns[0] == 600 * MS
        assert (np.diff(recording.frame_times_ns) == 40 * MS).all()


def test_what_holds_at_a_time_is_never_from_later(either: Path) -> None:
    times_ns = np.array([0, 499 * MS, 520 * MS, 7777 * MS])

    with open_recordings(either) as (recording,):
        assert recording.frame_at(times_ns).tolist() == [0, 12, 13, 194]
        held = recording.currents.held(times_ns)[:, 0] - 6000

    assert held.tolist() == [0, 0, 1, 15]


def test_recordings_come_in_the_order_of_their_names_dots_included(tmp_path: Path) -> None:
    for name in ("b.2", "a", "b.1"):
        fmf_files.write_second_layout(tmp_path / "pixel-level", name, frames=30)

    with open_recordings(tmp_path) as recordings:
        assert [recording.name for recording in recordings] == ["a", "b.1", "b.2"]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    assert "expected videos/, currents/ and timestamps/, or *.mat" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")


def test_a_last_row_without_its_pair_is_left_out(second: Path) -> None:
    path = second / "currents" / f"{NAME}.csv"
    path.write_text(path.read_text() + "2018-04-19 21:41:02,1,2,3\n")

    with open_recordings(second) as (recording,):
        assert len(recording.currents.samples) == 20


def rewrite(file: h5py.File, name: str, value: Any) -> None:
    del file[name]
    if value is not None:
        file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("data", None, "expected a variable data or video, got label"),
        (
            "data",
            np.zeros((250, 64, 64, 3), np.uint8),
            r"\(1..4320000, 3, 64, 64\), got \(250, 64, 64, 3",
        ),
        ("data", np.zeros((250, 3, 64, 64), np.float32), "expected data as uint8, got float32"),
        ("label", np.zeros((249, 64, 64), np.uint8), r"expected label .*\(250, 64, 64\), got"),
        ("data", np.zeros((0, 3, 64, 64), np.uint8), r"\(1..4320000, 3, 64, 64\), got \(0, 3"),
    ],
)
def test_a_malformed_video_is_refused_in_one_line(
    second: Path, name: str, value: Any, said: str
) -> None:
    path = second / "videos" / f"{NAME}.mat"
    with h5py.File(path, "a") as file:
        rewrite(file, name, value)

    message = refusal(second)

    assert message.startswith(f"{path}: expected")
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("current", np.zeros((3, 250)), "expected current in HDF5's order as (250, 3)"),
        ("current", np.full((250, 3), np.nan), "expected finite currents"),
        ("train_test_index", np.full((250, 1), 2.0), "expected train_test_index of 0"),
    ],
)
def test_a_malformed_first_layout_is_refused(first: Path, name: str, value: Any, said: str) -> None:
    with h5py.File(first / "batch-1.mat", "a") as file:
        rewrite(file, name, value)

    assert said in refusal(first)


def test_an_older_matlab_file_is_refused(second: Path) -> None:
    (second / "videos" / f"{NAME}.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))

    assert "expected a MATLAB v7.3 file (HDF5)" in refusal(second)


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        ("currents", "6002.0", "n/a", ".csv:2: expected three currents in amperes, got ['6000"),
        ("currents", "6002.0", "inf", ".csv:2: expected three currents in amperes"),
        ("currents", "21:40:52", "9 pm", ".csv:2: expected a time like"),
        ("currents", "21:40:54", "21:40:52", ".csv:6: expected each second later"),
        ("currents", ",6001.0,6002.0", "", ".csv:2: expected 4 columns, got 2"),
        ("timestamps", "21:40:52", "21:40:51", "seconds that the currents have too, got"),
        ("timestamps", "21:40:53", "21:40:57", "expected times in order, got"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(
    second: Path, part: str, old: str, new: str, said: str
) -> None:
    path = second / part / f"{NAME}.csv"
    path.write_text(path.read_text().replace(old, new))

    message = refusal(second)

    assert message.startswith(str(path))
    assert said in message


def test_times_must_be_as_many_as_frames(second: Path) -> None:
    path = second / "timestamps" / f"{NAME}.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))

    assert "expected a row for each of the 250 frames" in refusal(second)


def test_a_missing_table_is_refused(second: Path) -> None:
    (second / "currents" / f"{NAME}.csv").unlink()

    assert "expected this file, got No such file" in refusal(second)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("[1, 2]", 'expected an object like {"NAME.mat": [0, 1, 2]}, got a list'),
        ("{", "got no JSON"),
        (json.dumps({f"{NAME}.mat": ["1"]}), "got something else for"),
        (json.dumps({f"{NAME}.mat": [250]}), "expected frames 0..249"),
        (json.dumps({f"{NAME}.mat": [7]}), "expected no frame in both, got frame 7"),
    ],
)
def test_a_malformed_split_is_refused(second: Path, test: str, said: str) -> None:
    (second / "test.json").write_text(test)

    assert said in refusal(second)


def test_a_damaged_file_is_refused_when_the_damage_is_read(second: Path) -> None:
    path = second / "videos" / f"{NAME}.mat"
    with h5py.File(path, "r") as file:
        damaged = file["label"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[damaged.byte_offset : damaged.byte_offset + damaged.size] = bytes(damaged.size)
    path.write_bytes(content)

    said = r"\.mat: expected readable label, got"

    with open_recordings(second) as (recording,), pytest.raises(FormatError, match=said):
        recording.pictures.masks(np.array([0]))
