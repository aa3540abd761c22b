"""What may be repaired by name, and what is refused all the same."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from meltwatch_fmf_benchmark import FormatError, Repair, open_recordings

from tests.support.fmf_files import write_second_layout

NAME = "batch-1"
ALL = frozenset(Repair)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_second_layout(tmp_path, NAME)


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def with_video(folder: Path, video: np.ndarray) -> None:
    with h5py.File(folder / "videos" / f"{NAME}.mat", "a") as file:
        del file["data"]
        file["data"] = video


def test_repeated_seconds_are_refused_with_the_place_and_the_repair(folder: Path) -> None:
    replace_in(folder / "currents" / f"{NAME}.csv", "21:40:54", "21:40:52")

    expected = r"currents/batch-1\.csv:6: .*got .*21:40:52 after .*21:40:53; --repair seconds"
    with pytest.raises(FormatError, match=expected), open_recordings(folder):
        pass


def test_repeated_seconds_count_on_where_that_is_asked_for(folder: Path) -> None:
    with open_recordings(folder) as (whole,):
        pass
    for part in ("currents", "timestamps"):
        replace_in(folder / part / f"{NAME}.csv", "21:40:54", "21:40:52")

    with open_recordings(folder, {Repair.SECONDS}) as (repaired,):
        np.testing.assert_array_equal(repaired.currents.times_ns, whole.currents.times_ns)
        np.testing.assert_array_equal(repaired.currents.samples, whole.currents.samples)
        # The third second's frames are named as of the first: they count as of the second.
        assert np.bincount(repaired.frame_seconds).tolist() == [25, 50, 0, *[25] * 7]
        assert (np.diff(repaired.frame_times_ns) > 0).all()


def test_a_frame_that_goes_back_is_named_by_its_number(folder: Path) -> None:
    path = folder / "timestamps" / f"{NAME}.csv"
    lines = path.read_text().splitlines()
    lines[61] = "2018-04-19 21:40:52"  # a header, then 60 frames
    path.write_text("\n".join(lines))

    expected = r"got frame 60 of second 0 after second 2 of the currents; --repair seconds"
    with pytest.raises(FormatError, match=expected), open_recordings(folder):
        pass
    with open_recordings(folder, {Repair.SECONDS}) as (repaired,):
        assert repaired.frame_seconds[60] == 2


def test_pictures_of_another_type_are_rounded_where_that_is_asked_for(folder: Path) -> None:
    with open_recordings(folder) as (whole,):
        frames = whole.pictures.frames(np.arange(250))
    with_video(folder, frames.transpose(0, 3, 2, 1) + np.float32(0.25))

    expected = "expected data as uint8, got float32; --repair video"
    with pytest.raises(FormatError, match=expected), open_recordings(folder):
        pass
    replaced = np.minimum(frames.transpose(0, 3, 2, 1) + np.float32(0.25), 255)
    with_video(folder, replaced)
    with open_recordings(folder, {Repair.VIDEO}) as (repaired,):
        np.testing.assert_array_equal(repaired.pictures.frames(np.arange(250)), frames)


@pytest.mark.parametrize("wrong", [np.nan, -1.0, 300.0])
def test_what_is_no_grey_is_refused_with_its_frame(folder: Path, wrong: float) -> None:
    video = np.full((250, 3, 64, 64), 100.0, np.float32)
    video[17, 2, 5, 5] = wrong
    with_video(folder, video)

    with open_recordings(folder, ALL) as (recording,):
        recording.pictures.frames(np.arange(17))
        with pytest.raises(FormatError, match=re.escape("got others in frame 17")):
            recording.pictures.frames(np.arange(16, 20))


def test_greys_from_0_to_1_are_not_guessed_at(folder: Path) -> None:
    with_video(folder, np.full((250, 3, 64, 64), 0.7, np.float64))

    with (
        pytest.raises(FormatError, match=r"expected greys of 0 to 255 .* got none above 0\.7"),
        open_recordings(folder, ALL),
    ):
        pass
