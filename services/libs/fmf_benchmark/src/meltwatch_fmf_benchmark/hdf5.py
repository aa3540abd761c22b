"""The HDF5 side of both layouts: MATLAB v7.3 files, whose axes come in reverse."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from meltwatch_fmf_benchmark.errors import FormatError
from meltwatch_fmf_benchmark.recording import SIDE, Pictures
from meltwatch_fmf_benchmark.repair import Repair

VIDEO_NAMES: Final = ("data", "video")
MAX_FRAMES: Final = 4_320_000
"""Two days at 25 a second: their times fit into memory whatever a file declares."""
MAX_CHUNK_BYTES: Final = 64 << 20
"""A chunk is unpacked whole for one frame of it."""
_SHOWN_NAMES: Final = 5
_CHUNK_CACHE_BYTES: Final = 32 << 20
"""Of each data set: without room for a clip's chunks, each is unpacked again and again."""


def open_file(path: Path) -> h5py.File:
    """Open a MATLAB v7.3 file to read."""
    if not path.is_file():
        raise FormatError(f"{path}: expected a MATLAB v7.3 file (HDF5), got what is no file")
    try:
        return h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path}: expected a MATLAB v7.3 file (HDF5), got what HDF5 cannot read ({error})"
        ) from error


@contextmanager
def damage(path: str, what: str) -> Iterator[None]:
    """Turn what HDF5 raises over a damaged file into one line."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        words = " ".join(str(error).split())
        raise FormatError(f"{path}: expected readable {what}, got {words}") from error


def pictures_in(file: h5py.File, repairs: Collection[Repair] = frozenset()) -> Pictures:
    """Return the pictures and masks of a file.

    Raises
    ------
    FormatError
        If they are not ``(T, 3, 64, 64)`` uint8 and ``(T, 64, 64)``.
    """
    video = dataset_in(file, VIDEO_NAMES, (None, 3, SIDE, SIDE))
    if video.dtype != np.uint8:
        if Repair.VIDEO not in repairs:
            raise FormatError(
                f"{file.filename}: expected {video.name[1:]} as uint8, got {video.dtype}; "
                f"--repair {Repair.VIDEO} rounds greys of 0 to 255"
            )
        with damage(file.filename, video.name[1:]):
            brightest = max(float(video[0].max()), float(video[len(video) // 2].max()))
        if brightest <= 1:
            raise FormatError(
                f"{file.filename}: expected greys of 0 to 255 in {video.name[1:]}, got none above "
                f"{brightest:g}: scale them first"
            )
    label = dataset_in(file, ("label",), (len(video), SIDE, SIDE))
    return Pictures(video, label)


def dataset_in(file: h5py.File, names: Sequence[str], shape: tuple[int | None, ...]) -> Any:
    """Return a file's data set that has one of the names and the shape; None is any number.

    Its numbers stand in the file itself: HDF5 can also point at any other file that we may read.
    """
    with damage(file.filename, " or ".join(names)):
        found = _own(file, names)
        _check_storage(found)
        fits = len(found.shape) == len(shape) and all(
            want in (None, got) for want, got in zip(shape, found.shape, strict=True)
        )
    if not fits or not 0 < found.shape[0] <= MAX_FRAMES:
        wanted = ", ".join(f"1..{MAX_FRAMES}" if s is None else str(s) for s in shape)
        raise FormatError(
            f"{file.filename}: expected {found.name[1:]} in HDF5's order as ({wanted}), "
            f"got {found.shape}"
        )
    return found


def whole(dataset: h5py.Dataset) -> Any:
    """Return all numbers of a data set."""
    with damage(dataset.file.filename, dataset.name[1:]):
        return dataset[:]


def _own(file: h5py.File, names: Sequence[str]) -> Any:
    name = next((name for name in names if file.id.links.exists(name.encode())), None)
    if name is None:
        others = ", ".join(islice(sorted(file), _SHOWN_NAMES)) or "none"
        raise FormatError(
            f"{file.filename}: expected a variable {' or '.join(names)}, got {others}"
        )
    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise FormatError(f"{file.filename}: expected {name} itself, got a link to another place")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise FormatError(f"{file.filename}: expected {name} as numbers, got a group")
    return found


def _check_storage(found: h5py.Dataset) -> None:
    what = f"{found.file.filename}: expected {found.name[1:]}"
    if found.is_virtual or found.external:
        raise FormatError(f"{what} in this file, got one that points at other files")
    if found.dtype.kind not in "biuf" or found.shape is None:
        raise FormatError(f"{what} as numbers, got {found.dtype} {found.shape}")
    if prod(found.chunks or (0,)) * found.dtype.itemsize > MAX_CHUNK_BYTES:
        raise FormatError(f"{what} in chunks of {MAX_CHUNK_BYTES} bytes at most, got larger ones")
