"""Files that point elsewhere, claim too much or are damaged: one line, and nothing else is read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from meltwatch_fmf_benchmark import FormatError, open_recordings
from meltwatch_fmf_benchmark.hdf5 import MAX_CHUNK_BYTES, MAX_FRAMES

from tests.support import fmf_files
from tests.support.examples import examples

FRAMES = 250
SHAPE = (FRAMES, 3, 64, 64)


def refusal(folder: Path) -> str:
    with pytest.raises(FormatError) as error, open_recordings(folder):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good recording beside a secret of exactly the size of its video."""
    (tmp_path / "secret").write_bytes(b"secret! " * (FRAMES * 3 * 64 * 64 // 8))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(SHAPE, np.uint8)
    return fmf_files.write_first_layout(tmp_path / "recordings")


def external_storage(file: h5py.File, folder: Path) -> None:
    secret = [(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("video", SHAPE, np.uint8, external=secret)


def external_link(file: h5py.File, folder: Path) -> None:
    file["video"] = h5py.ExternalLink(str(folder / "other.h5"), "/data")


def soft_link(file: h5py.File, _: Path) -> None:
    file["elsewhere"] = np.zeros(SHAPE, np.uint8)
    file["video"] = h5py.SoftLink("/elsewhere")


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout(SHAPE, np.uint8)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "data", SHAPE)
    file.create_virtual_dataset("video", layout)


def huge(file: h5py.File, _: Path) -> None:
    file.create_dataset("video", (1 << 45, 3, 64, 64), np.uint8, chunks=(1, 3, 64, 64))


def too_long(file: h5py.File, _: Path) -> None:
    file.create_dataset("video", (MAX_FRAMES + 1, 3, 64, 64), np.uint8, chunks=(1, 3, 64, 64))


def bomb(file: h5py.File, _: Path) -> None:
    frames = MAX_CHUNK_BYTES // (3 * 64 * 64) + 1
    chunks = (frames, 3, 64, 64)
    file.create_dataset("video", chunks, np.uint8, chunks=chunks, compression="gzip")


def objects(file: h5py.File, _: Path) -> None:
    file.create_dataset("video", SHAPE, h5py.string_dtype(), chunks=(1, 3, 64, 64))


def empty(file: h5py.File, _: Path) -> None:
    file["video"] = h5py.Empty("uint8")


def group(file: h5py.File, _: Path) -> None:
    file.create_group("video")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (external_storage, "points at other files"),
        (virtual, "points at other files"),
        (external_link, "got a link to another place"),
        (soft_link, "got a link to another place"),
        (huge, r"\(1..4320000, 3, 64, 64\)"),
        (too_long, r"\(1..4320000, 3, 64, 64\)"),
        (bomb, "in chunks of"),
        (objects, "as numbers"),
        (empty, "as numbers"),
        (group, "got a group"),
    ],
)
def test_a_video_that_is_not_in_the_file_or_claims_too_much_is_refused(
    folder: Path, change: Callable[[h5py.File, Path], None], said: str
) -> None:
    with h5py.File(folder / "batch-1.mat", "a") as file:
        del file["video"]
        change(file, folder.parent)

    with pytest.raises(FormatError, match=said), open_recordings(folder):
        pass


@pytest.mark.parametrize("name", ["label", "current", "train_test_index"])
def test_every_variable_stands_in_the_file_itself(folder: Path, name: str) -> None:
    with h5py.File(folder / "batch-1.mat", "a") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(folder.parent / "other.h5"), "/data")

    assert f"expected {name} itself" in refusal(folder)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "another.mat")

    assert "got what is no file" in refusal(folder)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"\xff", b'{"a.mat": [99999999999999999999]}', b'{"a.mat": [-1]}']
)
def test_a_split_that_is_no_list_of_frames_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = fmf_files.write_second_layout(tmp_path)
    (folder / "train.json").write_bytes(content)

    assert "train.json" in refusal(folder)


@pytest.mark.parametrize("table", ["currents", "timestamps"])
def test_a_table_that_is_a_pipe_is_not_waited_for(tmp_path: Path, table: str) -> None:
    folder = fmf_files.write_second_layout(tmp_path, splits={"train": range(10)})
    (path,) = (folder / table).iterdir()
    path.unlink()
    os.mkfifo(path)

    assert "expected a file" in refusal(folder)


def test_a_split_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    folder = fmf_files.write_second_layout(tmp_path, splits={"train": range(10)})
    path = folder / "train.json"
    path.write_text(json.dumps(json.loads(path.read_text())), encoding="utf-8-sig")

    with open_recordings(folder) as (recording,):
        assert len(recording.split("train")) == 10


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_gives_pictures_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = tmp_path_factory.getbasetemp()
    if not (base / "good" / "batch-1.mat").exists():
        fmf_files.write_first_layout(base / "good", frames=200)
    content = bytearray((base / "good" / "batch-1.mat").read_bytes())
    # Its structures stand at the beginning and between the data.
    for _ in range(data.draw(st.integers(1, 20))):
        end = data.draw(st.sampled_from([4096, len(content)]))
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    (base / "damaged").mkdir(exist_ok=True)
    (base / "damaged" / "batch-1.mat").write_bytes(content)

    try:
        with open_recordings(base / "damaged") as (recording,):
            read = str(recording.pictures.frames(np.array([0, 199])).shape)
    except FormatError as error:
        read = str(error)

    assert read == "(2, 64, 64, 3)" or "batch-1.mat" in read
    assert "\n" not in read
