"""The two published layouts of a recording.

The first is one MATLAB file a recording, with a column of currents for each frame. The second has
pictures, currents and times in files of their own.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from meltwatch_fmf_benchmark.errors import FormatError
from meltwatch_fmf_benchmark.hdf5 import MAX_FRAMES, dataset_in, pictures_in, whole
from meltwatch_fmf_benchmark.recording import (
    FRAME_PERIOD_NS,
    FRAMES_PER_SECOND,
    SAMPLE_PERIOD_NS,
    SECOND_NS,
    Currents,
    IntArray,
    Recording,
)
from meltwatch_fmf_benchmark.repair import Repair
from meltwatch_fmf_benchmark.tables import read_currents, read_times, text_of

SPLITS: Final = ("train", "test")
Splits = Mapping[str, Mapping[str, IntArray]]

_SPLIT_NUMBERS: Final = {"train": 0, "test": 1}


def read_first_layout(file: h5py.File, repairs: Collection[Repair] = frozenset()) -> Recording:
    """Return the recording that a file of the first layout holds.

    Its frames carry no times: they are taken as 25 a second. Its currents have a column for each
    frame: the first one of every half second is a sample.
    """
    pictures = pictures_in(file, repairs)
    frames = np.arange(len(pictures.video), dtype=np.int64)
    columns = whole(dataset_in(file, ("current",), (len(frames), 3)))
    path = Path(file.filename)
    return Recording(
        name=path.stem,
        source=path,
        pictures=pictures,
        currents=_column_currents(columns, path),
        frame_times_ns=frames * FRAME_PERIOD_NS,
        frame_seconds=frames // FRAMES_PER_SECOND,
        splits=_numbered_splits(file, len(frames)),
    )


def _column_currents(columns: NDArray[np.float64], path: Path) -> Currents:
    if not np.isfinite(columns).all():
        column = int(np.flatnonzero(~np.isfinite(columns).all(axis=1))[0])
        raise FormatError(f"{path}: expected finite currents, got {columns[column]} at {column}")
    last_ns = (len(columns) - 1) * FRAME_PERIOD_NS
    half_seconds_ns = np.arange(0, last_ns + 1, SAMPLE_PERIOD_NS, dtype=np.int64)
    chosen = -(-half_seconds_ns // FRAME_PERIOD_NS)
    return Currents(chosen * FRAME_PERIOD_NS, columns[chosen].astype(np.float32))


def _numbered_splits(file: h5py.File, frames: int) -> dict[str, IntArray]:
    if "train_test_index" not in list(file):
        return {}
    index = whole(dataset_in(file, ("train_test_index",), (frames, 1)))[:, 0]
    if not np.isin(index, list(_SPLIT_NUMBERS.values())).all():
        raise FormatError(
            f"{file.filename}: expected train_test_index of 0 (train) and 1 (test), "
            f"got {np.unique(index)[:5].tolist()}"
        )
    return {
        name: np.flatnonzero(index == number).astype(np.int64)
        for name, number in _SPLIT_NUMBERS.items()
    }


def read_second_layout(
    file: h5py.File, folder: Path, splits: Splits, repairs: Collection[Repair] = frozenset()
) -> Recording:
    """Return the recording whose pictures a file of the second layout holds.

    Parameters
    ----------
    file
        ``videos/NAME.mat``.
    folder
        Has ``currents/NAME.csv`` and ``timestamps/NAME.csv``.
    splits
        As ``read_splits`` gives them.
    repairs
        What is repaired.
    """
    path = Path(file.filename)
    pictures = pictures_in(file, repairs)
    seconds, currents = read_currents(
        folder / "currents" / f"{path.stem}.csv", in_order=Repair.SECONDS not in repairs
    )
    times = folder / "timestamps" / f"{path.stem}.csv"
    frame_seconds = _frame_seconds(read_times(times), seconds, times)
    if Repair.SECONDS in repairs:
        frame_seconds = np.maximum.accumulate(frame_seconds)
    _check_order(frame_seconds, times)
    if len(frame_seconds) != len(pictures.video):
        raise FormatError(
            f"{times}: expected a row for each of the {len(pictures.video)} frames of {path.name}, "
            f"got {len(frame_seconds)}"
        )
    return Recording(
        name=path.stem,
        source=path,
        pictures=pictures,
        currents=currents,
        frame_times_ns=_frame_times_ns(frame_seconds, currents),
        frame_seconds=frame_seconds,
        splits=_own_splits(splits, path, len(frame_seconds)),
    )


def read_splits(folder: Path) -> dict[str, dict[str, IntArray]]:
    """Return the frame numbers by split and file name, as far as the folder tells them."""
    found = {}
    for name in SPLITS:
        path = folder / f"{name}.json"
        if path.exists():
            found[name] = _read_split(path)
    return found


def _frame_seconds(times: list[str], seconds: Mapping[str, int], path: Path) -> IntArray:
    """Return the position of each frame's second among the seconds of the currents."""
    try:
        found = np.array([seconds[time] for time in times], dtype=np.int64)
    except KeyError as error:
        raise FormatError(
            f"{path}: expected seconds that the currents have too, got {error.args[0]!r}"
        ) from None
    return found


def _check_order(frame_seconds: IntArray, path: Path) -> None:
    back = np.flatnonzero(np.diff(frame_seconds) < 0)
    if back.size:
        frame = int(back[0]) + 1
        raise FormatError(
            f"{path}: expected times in order, got frame {frame} of second "
            f"{frame_seconds[frame]} after second {frame_seconds[frame - 1]} of the currents; "
            f"--repair {Repair.SECONDS} takes it as of the latter"
        )


def _frame_times_ns(frame_seconds: IntArray, currents: Currents) -> IntArray:
    """Return when each frame was taken: a second's frames follow each other at 25 a second.

    The first second may have begun before the recording: its frames are the last of that second.
    """
    _, first, count = np.unique(frame_seconds, return_index=True, return_counts=True)
    number = np.arange(len(frame_seconds)) - np.repeat(first, count)
    number[: count[0]] += max(0, FRAMES_PER_SECOND - int(count[0]))
    per_second = np.repeat(np.maximum(count, FRAMES_PER_SECOND), count)
    begins_ns = currents.times_ns[2 * frame_seconds]
    times_ns: IntArray = (begins_ns + number * SECOND_NS // per_second).astype(np.int64)
    return times_ns


def _own_splits(splits: Splits, path: Path, frames: int) -> dict[str, IntArray]:
    empty = np.empty(0, dtype=np.int64)
    own = {name: entries.get(path.name, empty) for name, entries in splits.items()}
    for name, index in own.items():
        outside = index[(index < 0) | (index >= frames)]
        if outside.size:
            raise FormatError(
                f"{name}.json: expected frames 0..{frames - 1} of {path.name}, got {outside[0]}"
            )
    both = np.intersect1d(own.get("train", empty), own.get("test", empty))
    if both.size:
        raise FormatError(
            f"train.json, test.json: expected no frame in both, got frame {both[0]} of {path.name}"
        )
    return own


def _read_split(path: Path) -> dict[str, IntArray]:
    expected = 'expected an object like {"NAME.mat": [0, 1, 2]}'
    try:
        given: Any = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: {expected}, got no JSON: {error}") from error
    if not isinstance(given, dict):
        raise FormatError(f"{path}: {expected}, got a {type(given).__name__}")
    for name, frames in given.items():
        if not isinstance(frames, list) or not all(type(frame) is int for frame in frames):
            raise FormatError(f"{path}: {expected}, got something else for {name}")
        if any(not 0 <= frame <= MAX_FRAMES for frame in frames):
            raise FormatError(f"{path}: expected frames 0..{MAX_FRAMES}, got others for {name}")
    return {name: np.array(frames, dtype=np.int64) for name, frames in given.items()}
