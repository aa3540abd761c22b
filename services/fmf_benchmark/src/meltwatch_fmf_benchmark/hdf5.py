"""The HDF5 side of both layouts: MATLAB v7.3 files, whose axes come in reverse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from meltwatch_fmf_benchmark.errors import FormatError
from meltwatch_fmf_benchmark.recording import SIDE, Pictures

VIDEO_NAMES: Final = ("data", "video")
_CHUNK_CACHE_BYTES: Final = 32 << 20
"""Of each data set: without room for a clip's chunks, each is unpacked again and again."""


def open_file(path: Path) -> h5py.File:
    """Open a MATLAB v7.3 file to read."""
    try:
        return h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
    except OSError as error:
        raise FormatError(
            f"{path}: expected a MATLAB v7.3 file (HDF5), got what HDF5 cannot read ({error})"
        ) from error


def pictures_in(file: h5py.File) -> Pictures:
    """Return the pictures and masks of a file.

    Raises
    ------
    FormatError
        If they are not ``(T, 3, 64, 64)`` uint8 and ``(T, 64, 64)``.
    """
    video = dataset_in(file, VIDEO_NAMES, (None, 3, SIDE, SIDE))
    if video.dtype != np.uint8:
        raise FormatError(f"{file.filename}: expected {video.name[1:]} as uint8, got {video.dtype}")
    label = dataset_in(file, ("label",), (len(video), SIDE, SIDE))
    if label.dtype.kind not in "biuf":
        raise FormatError(f"{file.filename}: expected label as numbers, got {label.dtype}")
    return Pictures(video, label)


def dataset_in(file: h5py.File, names: Sequence[str], shape: tuple[int | None, ...]) -> Any:
    """Return a file's data set that has one of the names and the shape; None is any number."""
    found = next((file[name] for name in names if isinstance(file.get(name), h5py.Dataset)), None)
    if found is None:
        raise FormatError(
            f"{file.filename}: expected a variable {' or '.join(names)}, "
            f"got {', '.join(sorted(file)) or 'none'}"
        )
    fits = len(found.shape) == len(shape) and all(
        want in (None, got) for want, got in zip(shape, found.shape, strict=True)
    )
    if not fits or found.shape[0] == 0:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise FormatError(
            f"{file.filename}: expected {found.name[1:]} in HDF5's order as ({wanted}), "
            f"got {found.shape}"
        )
    return found
