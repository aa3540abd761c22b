"""A folder of recordings, in whichever layout."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import h5py

from meltwatch_fmf_benchmark.errors import NoRecordingsError
from meltwatch_fmf_benchmark.hdf5 import open_file
from meltwatch_fmf_benchmark.layouts import read_first_layout, read_second_layout, read_splits
from meltwatch_fmf_benchmark.recording import Recording
from meltwatch_fmf_benchmark.repair import Repair

_SUBFOLDER: Final = "pixel-level"


@contextmanager
def open_recordings(
    folder: Path, repairs: Collection[Repair] = frozenset()
) -> Iterator[list[Recording]]:
    """Open all recordings of a folder, in the order of their names, until the context is left.

    Parameters
    ----------
    folder
        Has ``videos/``, ``currents/`` and ``timestamps/`` (second layout; the folder above its
        ``pixel-level/`` will do) or ``*.mat`` files (first layout).
    repairs
        What is repaired; anything else that is wrong is refused.

    Raises
    ------
    FormatError
        If the folder is in neither layout, or one of its files is not of the benchmark's form.
    """
    with ExitStack() as files:
        second = next((f for f in (folder, folder / _SUBFOLDER) if (f / "videos").is_dir()), None)
        if second is None:
            paths = _files_of(folder, "videos/, currents/ and timestamps/, or *.mat files")
            yield [read_first_layout(_opened(files, path), repairs) for path in paths]
            return
        paths = _files_of(second / "videos", "*.mat files")
        splits = read_splits(second)
        yield [read_second_layout(_opened(files, path), second, splits, repairs) for path in paths]


def _opened(files: ExitStack, path: Path) -> h5py.File:
    return files.enter_context(open_file(path))


def _files_of(folder: Path, expected: str) -> list[Path]:
    paths = sorted(folder.glob("*.mat"))
    if not paths:
        found = "none of them" if folder.is_dir() else "no such folder"
        raise NoRecordingsError(f"{folder}: expected {expected}, got {found}")
    return paths
