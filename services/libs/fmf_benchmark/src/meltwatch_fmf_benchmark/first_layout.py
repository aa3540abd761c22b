"""The first published layout: one MATLAB file a recording, currents as one column per frame."""

from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from meltwatch_fmf_benchmark.errors import FormatError
from meltwatch_fmf_benchmark.hdf5 import dataset_in, pictures_in, whole
from meltwatch_fmf_benchmark.recording import (
    FRAME_PERIOD_NS,
    FRAMES_PER_SECOND,
    SAMPLE_PERIOD_NS,
    Currents,
    IntArray,
    Recording,
)

_SPLIT_NUMBERS: Final = {"train": 0, "test": 1}


def read_recording(file: h5py.File) -> Recording:
    """Return the recording that a file of the first layout holds.

    Its frames carry no times: they are taken as 25 a second. Its currents have a column for each
    frame: the first one of every half second is a sample.
    """
    pictures = pictures_in(file)
    frames = np.arange(len(pictures.video), dtype=np.int64)
    columns = whole(dataset_in(file, ("current",), (len(frames), 3)))
    path = Path(file.filename)
    return Recording(
        name=path.stem,
        source=path,
        pictures=pictures,
        currents=_currents(columns, path),
        frame_times_ns=frames * FRAME_PERIOD_NS,
        frame_seconds=frames // FRAMES_PER_SECOND,
        splits=_splits(file, len(frames)),
    )


def _currents(columns: NDArray[np.float64], path: Path) -> Currents:
    if not np.isfinite(columns).all():
        column = int(np.flatnonzero(~np.isfinite(columns).all(axis=1))[0])
        raise FormatError(f"{path}: expected finite currents, got {columns[column]} at {column}")
    last_ns = (len(columns) - 1) * FRAME_PERIOD_NS
    half_seconds_ns = np.arange(0, last_ns + 1, SAMPLE_PERIOD_NS, dtype=np.int64)
    chosen = -(-half_seconds_ns // FRAME_PERIOD_NS)
    return Currents(chosen * FRAME_PERIOD_NS, columns[chosen].astype(np.float32))


def _splits(file: h5py.File, frames: int) -> dict[str, IntArray]:
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
